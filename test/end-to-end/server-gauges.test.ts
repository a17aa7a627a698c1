import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { colourSession, withColourRepository } from '../serving/colour-model.js';
import { rest, solidImage, TEST_SETTINGS, withServer } from './server-under-test.js';
import { withUntrainedNetwork } from './untrained-network.js';

const certificates = fileURLToPath(
  new URL('../../../test/security/certificates/', import.meta.url),
);
const MODEL = 'model="colours",version="3"';

/** Value of the series that is written exactly so; undefined if there is none. */
function value(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const scrape = async (port: number) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

test('requests in flight are those that wait for their answer', () => {
  let answer = () => {};
  const gate = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let warm = false;
  const session = colourSession(() => (warm ? gate : Promise.resolve()));
  return withServer(
    async ({ url, metrics }) => {
      warm = true;
      const image = await solidImage([255, 0, 0]);
      const replies = [1, 2, 3].map(() => rest(`${url}/v1/models/colours:classify`, image));
      const deadline = performance.now() + 5000;
      while (value(await metrics(), 'lcq_requests_in_flight') !== 3) {
        assert.ok(performance.now() < deadline);
      }
      answer();
      for (const { status } of await Promise.all(replies)) assert.equal(status, 200);
      assert.equal(value(await metrics(), 'lcq_requests_in_flight'), 0);
    },
    {},
    session,
  );
});

test('a model is in one state, from before it is loaded until it is unloaded', () =>
  withColourRepository(async (modelRepository) => {
    const settings = { ...TEST_SETTINGS, modelRepository, modelControl: 'explicit' };
    const config = configSchema.parse({ ...settings, memoryBudgetBytes: 30 });
    const openSession = async () => colourSession();
    const server = new ModelServer(config, { openSession, log: createLogger('silent') });
    const { http, metrics } = await server.listen();
    const change = (what: string) =>
      rest(`http://127.0.0.1:${http}/v2/repository/models/colours/${what}`, '');
    const states = async () => {
      const lines = (await scrape(metrics)).match(/^lcq_model_state\{.*/gm) ?? [];
      return lines.map((line) => line.replace(`lcq_model_state{${MODEL},state=`, ''));
    };
    try {
      const ready = () => rest(`http://127.0.0.1:${metrics}/v2/health/ready`);
      assert.equal((await ready()).status, 503);
      assert.equal(value(await scrape(metrics), 'lcq_server_ready'), 0);
      assert.deepEqual(await states(), []);
      await server.load();
      assert.equal((await ready()).status, 200);
      assert.equal(value(await scrape(metrics), 'lcq_server_ready'), 1);
      await change('load');
      assert.deepEqual(await states(), [
        '"UNKNOWN"} 0',
        '"LOADING"} 0',
        '"READY"} 1',
        '"UNLOADING"} 0',
        '"UNAVAILABLE"} 0',
      ]);
      const text = await scrape(metrics);
      assert.equal(value(text, `lcq_model_memory_bytes{${MODEL}}`), 27);
      assert.equal(value(text, 'lcq_memory_budget_bytes'), 30);
      await change('unload');
      assert.deepEqual(await states(), []);
      assert.doesNotMatch(await scrape(metrics), /^lcq_model_memory_bytes\{/m);
      writeFileSync(join(modelRepository, 'colours', '3', 'model.onnx'), 'x'.repeat(31));
      await change('load');
      await rest(`http://127.0.0.1:${http}/v2/repository/models/invented/load`, '');
      const failures = (await scrape(metrics)).match(/^lcq_model_load_failures_total.*/gm);
      assert.deepEqual(failures, [
        'lcq_model_load_failures_total{model="colours",code="RESOURCE_EXHAUSTED"} 1',
      ]);
      assert.ok((await states()).includes('"UNAVAILABLE"} 1'));
    } finally {
      await server.close();
    }
  }));

test('build, memory limit and the certificate in use', async () => {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const expiry = 'lcq_tls_certificate_expiry_timestamp_seconds';
  await withServer(async ({ metrics }) => {
    const text = await metrics();
    assert.equal(value(text, `lcq_build_info{version="${version}"}`), 1);
    const limit = value(text, 'lcq_memory_limit_bytes') ?? 0;
    assert.ok(limit > 0 && limit <= totalmem(), String(limit));
    assert.equal(value(text, expiry), undefined);
  });
  const tlsCert = join(certificates, 'server.crt');
  const { validTo } = new X509Certificate(readFileSync(tlsCert));
  await withServer(
    async ({ metrics }) => {
      assert.equal(value(await metrics(), expiry), Date.parse(validTo) / 1000);
    },
    { tlsCert, tlsKey: join(certificates, 'server.key') },
  );
});

test('the memory of worker processes is theirs, not that of the server', () =>
  withUntrainedNetwork(async (modelRepository) => {
    const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository, workers: 2 });
    const server = new ModelServer(config, { log: createLogger('silent') });
    const { metrics } = await server.listen();
    try {
      await server.load();
      const text = await scrape(metrics);
      assert.equal(value(text, 'lcq_workers_running'), 2);
      const resident = value(text, 'lcq_workers_resident_memory_bytes') ?? 0;
      // Two processes of Node.js with ONNX Runtime; 0 where there is no /proc.
      if (process.platform === 'linux') assert.ok(resident > 2 * 30e6, String(resident));
    } finally {
      await server.close();
    }
  }));
