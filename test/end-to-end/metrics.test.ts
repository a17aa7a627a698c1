import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { rest, solidImage, withServer } from './server-under-test.js';

/** Value of a sample by its name and labels; undefined if there is no such series. */
function sample(text: string, name: string, labels: Record<string, string>): number | undefined {
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}{`)) continue;
    const isIt = Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`));
    if (isIt) return Number(line.slice(line.lastIndexOf(' ')));
  }
  return undefined;
}

const certificates = fileURLToPath(
  new URL('../../../test/security/certificates/', import.meta.url),
);
const MODEL = { model: 'colours', version: '3' };

test('requests are counted by model, protocol, operation and outcome', () =>
  withServer(async ({ url, vision, inference, metrics }) => {
    const image = await solidImage([255, 0, 0]);
    const classify = `${url}/v1/models/colours:classify`;
    await rest(classify, image);
    await rest(classify, image);
    await rest(classify, Buffer.from('junk'));
    await rest(classify, 'text', { headers: { 'content-type': 'text/html' } });
    await vision.call('Classify', { model: 'colours', image });
    await assert.rejects(vision.call('Classify', { model: 'colours', image: Buffer.from('junk') }));
    await assert.rejects(inference.call('ModelInfer', { model_name: 'colours' }));
    const text = await metrics();
    const count = (labels: Record<string, string>) =>
      sample(text, 'lcq_requests_total', { ...MODEL, ...labels });
    assert.equal(count({ protocol: 'rest', operation: 'classify', code: 'OK' }), 2);
    assert.equal(count({ protocol: 'rest', operation: 'classify', code: 'INVALID_ARGUMENT' }), 1);
    assert.equal(
      count({ protocol: 'rest', operation: 'classify', code: 'UNSUPPORTED_MEDIA_TYPE' }),
      1,
    );
    assert.equal(count({ protocol: 'grpc', operation: 'classify', code: 'OK' }), 1);
    assert.equal(count({ protocol: 'grpc', operation: 'classify', code: 'INVALID_ARGUMENT' }), 1);
    assert.equal(count({ protocol: 'grpc', operation: 'infer', code: 'INVALID_ARGUMENT' }), 1);
    assert.equal(
      sample(text, 'lcq_request_duration_seconds_count', { ...MODEL, protocol: 'rest' }),
      4,
    );
  }));

test('each successful request is seen in every phase, each batch with size and reason', () =>
  withServer(async ({ url, metrics }) => {
    const image = await solidImage([255, 0, 0]);
    for (let i = 0; i < 3; i++) await rest(`${url}/v1/models/colours:classify`, image);
    const text = await metrics();
    for (const phase of ['queue', 'preprocess', 'infer', 'postprocess']) {
      const name = 'lcq_request_phase_duration_seconds_count';
      assert.equal(sample(text, name, { ...MODEL, phase }), 3, phase);
    }
    assert.equal(sample(text, 'lcq_batch_size_count', MODEL), 3);
    assert.equal(sample(text, 'lcq_batch_size_sum', MODEL), 3);
    assert.equal(sample(text, 'lcq_batch_flushes_total', { ...MODEL, reason: 'settled' }), 3);
    assert.equal(sample(text, 'lcq_queue_depth', MODEL), 0);
    assert.ok(sample(text, 'lcq_model_load_seconds', MODEL) !== undefined);
    assert.match(text, /^process_resident_memory_bytes /m);
  }));

test('what callers invent makes no series of its own', () =>
  withServer(async ({ url, vision, metrics }) => {
    const image = await solidImage([255, 0, 0]);
    for (let i = 0; i < 20; i++) {
      await rest(`${url}/v1/models/invented${i}:classify`, image);
      await rest(`${url}/v1/models/colours/versions/${100 + i}:classify`, image);
      await assert.rejects(vision.call('Classify', { model: `made-up${i}` }));
      await rest(`${url}/invented/path${i}`);
    }
    const text = await metrics();
    assert.doesNotMatch(text, /invented|made-up|version="1\d\d"/);
    const unknown = { model: '_unknown', version: '_unknown', code: 'NOT_FOUND' };
    assert.equal(sample(text, 'lcq_requests_total', { ...unknown, protocol: 'rest' }), 40);
    assert.equal(sample(text, 'lcq_requests_total', { ...unknown, protocol: 'grpc' }), 20);
  }));

test('the metrics port also answers health checks, in plain HTTP, and nothing else', async () => {
  const check = async (url: string) => {
    const { status, json } = await rest(url);
    return [status, json.ready ?? json.live ?? json.code];
  };
  const tls = {
    tlsCert: join(certificates, 'server.crt'),
    tlsKey: join(certificates, 'server.key'),
    tlsClientCa: join(certificates, 'authority.crt'),
  };
  await withServer(async ({ ports }) => {
    const url = `http://127.0.0.1:${ports.metrics}`;
    assert.deepEqual(await check(`${url}/v2/health/live`), [200, true]);
    assert.deepEqual(await check(`${url}/v2/health/ready`), [200, true]);
    assert.deepEqual(await check(`${url}/v2`), [404, 'NOT_FOUND']);
  }, tls);
});
