import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { findings } from '../../loadtest/expectations.js';
import { type LoadOptions, runLoad } from '../../loadtest/load-run.js';
import { ProcessSampler } from '../../loadtest/process-sampler.js';
import { writeReport } from '../../loadtest/report/write-report.js';
import { parseScenario } from '../../loadtest/scenario.js';
import type { LoadResult } from '../../loadtest/summary.js';
import { withServer } from '../end-to-end/server-under-test.js';
import { colourSession } from '../serving/colour-model.js';

const TENSOR = { kind: 'tensor', shape: [1, 8, 8, 3] };
const PICTURE = { kind: 'picture', width: 16, height: 12 };
const CALLS = {
  'grpc-infer': TENSOR,
  'grpc-classify': PICTURE,
  'rest-infer-json': TENSOR,
  'rest-infer-binary': TENSOR,
  'rest-classify': PICTURE,
};

const scenarioOf = (streams: readonly object[], rest: object = {}) =>
  parseScenario(
    {
      description: 'test',
      warmUpSeconds: 0.2,
      phases: [{ seconds: 1, rate: 100 }],
      // The machine that runs tests is busy with them.
      goodWithinMs: 5000,
      maxLagMs: 5000,
      streams,
      ...rest,
    },
    'test',
  );

const optionsOf = (ports: { http: number; grpc: number }, processes = 1): LoadOptions => ({
  target: { rest: `http://127.0.0.1:${ports.http}`, grpc: `127.0.0.1:${ports.grpc}` },
  generators: { processes, cores: undefined },
});

const codesOf = ({ streams }: LoadResult) =>
  Object.fromEntries(streams.map(({ name, outcomes }) => [name, Object.keys(outcomes)]));

test('every call reaches the server and is answered, from several generators', async () => {
  const calls = Object.entries(CALLS);
  const streams = calls.map(([call, payload]) => ({ name: call, call, model: 'colours', payload }));
  // A picture may also go where the image tensor goes.
  streams.push({ name: 'bytes', call: 'grpc-infer', model: 'colours', payload: PICTURE });
  const form = { name: 'form', call: 'rest-classify', model: 'colours', payload: PICTURE };
  streams.push(Object.assign(form, { form: 'image' }));
  await withServer(async ({ ports, metrics }) => {
    const scenario = scenarioOf(streams);
    const result = await runLoad(scenario, [{ seconds: 1, rate: 100 }], optionsOf(ports, 2));
    const expected = Object.fromEntries(streams.map(({ name }) => [name, ['OK']]));
    assert.deepEqual(codesOf(result), expected);
    assert.ok(Math.abs(result.sent - 100) < 45, `${result.sent}/s`);
    assert.equal(result.goodput, result.ok);
    assert.equal(result.isValid, true);
    assert.equal(result.lag.count, result.outcomes.OK.count);
    const counted = [
      ...(await metrics()).matchAll(/^lcq_requests_total\{.*code="OK".*\} (\d+)$/gm),
    ];
    const answered = counted.reduce((sum, [, count]) => sum + Number(count), 0);
    assert.ok(answered > result.outcomes.OK.count, 'the warm-up was sent too');
  });
});

test('refusals are counted by their code, with the time that they took', async () => {
  const slow = colourSession(() => sleep(100));
  const stream = { name: 'tensors', call: 'grpc-infer', model: 'colours', payload: TENSOR };
  const rest = { ...stream, name: 'pictures', call: 'rest-classify', payload: PICTURE };
  await withServer(
    async ({ ports }) => {
      const scenario = scenarioOf([stream, rest], { expect: { failedShare: 0, refusalMs: 90 } });
      const result = await runLoad(scenario, [{ seconds: 1, rate: 300 }], optionsOf(ports));
      for (const { outcomes } of result.streams) {
        assert.deepEqual(Object.keys(outcomes), ['OK', 'RESOURCE_EXHAUSTED']);
        assert.ok(outcomes.RESOURCE_EXHAUSTED.p50 < outcomes.OK.p50);
      }
      const [failed] = findings(scenario, result, undefined, undefined);
      assert.equal(failed.isMet, false);
    },
    { queueCapacity: 2 },
    slow,
  );
});

test('errors of the caller and absent servers are outcomes, not failures of the run', async () => {
  const stream = { call: 'grpc-infer', model: 'nothing', payload: TENSOR };
  const streams = [
    { ...stream, name: 'unknown' },
    { ...stream, name: 'elsewhere', call: 'rest-infer-binary', path: '/nowhere' },
  ];
  await withServer(async ({ ports }) => {
    const options = optionsOf(ports);
    const result = await runLoad(scenarioOf(streams), [{ seconds: 1, rate: 50 }], options);
    assert.deepEqual(codesOf(result), { unknown: ['NOT_FOUND'], elsewhere: ['NOT_FOUND'] });
    const target = { ...options.target, rest: 'http://127.0.0.1:1' };
    const absent = await runLoad(scenarioOf([streams[1]]), [{ seconds: 1, rate: 50 }], {
      ...options,
      target,
    });
    assert.deepEqual(codesOf(absent), { elsewhere: ['NO_CONNECTION'] });
  });
});

test('slow clients take their time and get their answer', async () => {
  const stream = { model: 'colours', payload: TENSOR, bytesPerSecond: 500 };
  const streams = [
    { ...stream, name: 'rest', call: 'rest-infer-binary' },
    { ...stream, name: 'grpc', call: 'grpc-infer' },
  ];
  await withServer(async ({ ports }) => {
    const result = await runLoad(scenarioOf(streams), [{ seconds: 1, rate: 20 }], optionsOf(ports));
    assert.deepEqual(codesOf(result), { rest: ['OK'], grpc: ['OK'] });
    // The tensor alone has 192 bytes.
    for (const { outcomes } of result.streams) assert.ok(outcomes.OK.p50 > 200);
  });
});

test('a run is reported as JSON, as a page and as a picture', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-report-'));
  const name = 'tensors <b>';
  const scenario = scenarioOf([{ name, call: 'grpc-infer', model: 'colours', payload: TENSOR }]);
  await withServer(async ({ ports }) => {
    const sampler = new ProcessSampler([process.pid], 100);
    const result = await runLoad(scenario, [{ seconds: 2, rate: 50 }], optionsOf(ports));
    const resources = sampler.stop(0.2);
    assert.ok(resources.peakRss > 20 && resources.cores > 0);
    assert.ok(resources.growth !== undefined);
    const machine = { processor: 'any', cores: 2, node: '20', generators: 1 };
    const startedAt = new Date(0).toISOString();
    await writeReport({ scenario, startedAt, machine, result, resources, findings: [] }, folder);
    assert.deepEqual(
      JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')).result,
      result,
    );
    const page = await readFile(join(folder, 'report.html'), 'utf8');
    assert.match(page, /tensors &lt;b>/);
    assert.equal(page.match(/<svg/g)?.length, 4);
    const { width, height } = await sharp(join(folder, 'report.png')).metadata();
    assert.deepEqual([width, height], [900, 4 * 320]);
  });
  await rm(folder, { recursive: true });
});
