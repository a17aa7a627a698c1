import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findings } from '../../loadtest/expectations.js';
import { parseScenario } from '../../loadtest/scenario.js';
import type { LoadResult } from '../../loadtest/summary.js';

const scenario = parseScenario(
  {
    description: 'test',
    phases: [{ seconds: 1, rate: 1 }],
    streams: [
      { name: 'a', call: 'grpc-infer', model: 'm', payload: { kind: 'tensor', shape: [1] } },
    ],
    expect: {
      p99: { serviceTimes: 2, plusMs: 50 },
      goodputShare: 0.5,
      refusalMs: 50,
      growthMbPerHour: 1,
    },
  },
  'test',
);
const times = { count: 1, p50: 9, p90: 9, p99: 9, p999: 9, max: 9 };
const resultOf = (outcomes: LoadResult['outcomes']) =>
  ({ sent: 1, ok: 1, goodput: 1, outcomes }) as LoadResult;

test('what was not measured is not met', () => {
  const found = findings(scenario, resultOf({}), undefined, undefined);
  assert.equal(found.length, 4);
  for (const { what, isMet } of found) assert.equal(isMet, false, what);
});

test('refusals are held to their bound, whatever their code', () => {
  const refusal = (outcomes: LoadResult['outcomes']) =>
    findings(scenario, resultOf(outcomes), undefined, undefined).find(({ what }) =>
      what.startsWith('p99 until refused'),
    );
  assert.equal(refusal({ RESOURCE_EXHAUSTED: times })?.isMet, true);
  const slow = { ...times, p99: 51 };
  assert.equal(refusal({ RESOURCE_EXHAUSTED: times, 'HTTP 503': slow })?.isMet, false);
});
