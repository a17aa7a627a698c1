import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadScenario, parseScenario } from '../../loadtest/scenario.js';

const folder = fileURLToPath(new URL('../../../loadtest/scenarios/', import.meta.url));

const VALID = {
  description: 'one stream',
  phases: [{ seconds: 1, rate: 10 }],
  streams: [
    {
      name: 'tensors',
      call: 'grpc-infer',
      model: 'colours',
      payload: { kind: 'tensor', shape: [1, 8, 8, 3] },
    },
  ],
};

test('every scenario that is shipped is valid', async () => {
  const names = readdirSync(folder);
  assert.ok(names.length >= 7);
  for (const name of names) await loadScenario(join(folder, name));
});

test('errors name the field', () => {
  const [stream] = VALID.streams;
  const picture = { kind: 'picture', width: 8, height: 8 };
  const cases: [object, RegExp][] = [
    [{ ...VALID, phases: [] }, /scenario x: phases: /],
    [{ ...VALID, phases: [{ seconds: 1, rate: '80' }] }, /phases\.0\.rate: /],
    [{ ...VALID, phases: [{ seconds: -1, rate: 8 }] }, /phases\.0\.seconds: /],
    [{ ...VALID, typo: 1 }, /typo/],
    [
      { ...VALID, streams: [{ ...stream, call: 'grpc-classify' }] },
      /streams\.0\.payload\.kind: only infer/,
    ],
    [
      { ...VALID, streams: [{ ...stream, call: 'rest-infer-json', payload: picture }] },
      /REST infer calls/,
    ],
  ];
  for (const [json, message] of cases) {
    assert.throws(() => parseScenario(json, 'x'), { code: 'INVALID_ARGUMENT', message });
  }
});

test('a file that is not there, or no JSON, is told', async () => {
  await assert.rejects(loadScenario('/nowhere.json'), { code: 'NOT_FOUND' });
  const notJson = fileURLToPath(new URL('../../../LICENSE', import.meta.url));
  await assert.rejects(loadScenario(notJson), { code: 'INVALID_ARGUMENT' });
});
