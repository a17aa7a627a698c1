import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer, type Ports } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { GrpcClient, health, rest, TEST_SETTINGS } from './server-under-test.js';
import { untrainedNetwork, withUntrainedNetwork } from './untrained-network.js';

/** Asks `net` over REST and returns the outputs as text, or the error. */
async function askNet(http: number, value: number): Promise<string> {
  const data = Array.from({ length: 768 }, (_, i) => (i * value) % 256);
  const inputs = [{ name: 'image', datatype: 'UINT8', shape: [1, 16, 16, 3], data }];
  const url = `http://127.0.0.1:${http}/v2/models/net/infer`;
  const { status, json } = await rest(url, JSON.stringify({ inputs }));
  if (status === 200) return JSON.stringify(json.outputs[0].data);
  assert.deepEqual([status, json.code], [503, 'UNAVAILABLE'], json.error);
  return json.error;
}

test('kill -9 of a worker under load: coded errors until it is back, and no wrong answer', () =>
  withUntrainedNetwork(async (modelRepository) => {
    const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository, workers: 1 });
    const server = new ModelServer(config, { log: createLogger('silent') });
    const ports = await server.listen();
    const ask = (value: number) => askNet(ports.http, value);
    try {
      await server.load();
      const expected = [await ask(0), await ask(1), await ask(2)];
      assert.equal(new Set(expected).size, 3);
      const [pid] = server.workerPids;
      const deadline = performance.now() + 20_000;
      let [refused, answered, killed] = [0, 0, false];
      while (refused === 0 || answered < 30) {
        assert.ok(performance.now() < deadline, `${refused} refused, ${answered} answered`);
        const answers = Promise.all([0, 1, 2].map(ask));
        if (!killed) process.kill(pid, 'SIGKILL');
        killed = true;
        (await answers).forEach((answer, i) => {
          const isRefused = !answer.startsWith('[');
          if (isRefused) refused += 1;
          else assert.equal(answer, expected[i]);
          if (!isRefused && refused > 0) answered += 1;
        });
        await setTimeout(10);
      }
      assert.notDeepEqual(server.workerPids, [pid]);
      const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
      assert.match(text, /^lcq_worker_crashes_total\{reason="SIGKILL"\} 1$/m);
      assert.match(text, /^lcq_worker_restarts_total 1$/m);
    } finally {
      await server.close();
    }
    assert.deepEqual(server.workerPids, []);
  }));

const scrape = async ({ metrics }: Ports) =>
  (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();

/** What all say who are asked: of the server over gRPC; of the server twice and of the model over HTTP. */
async function readiness({ http, grpc, metrics }: Ports) {
  const client = new GrpcClient('inference.GRPCInferenceService', grpc);
  const { ready } = await client.call('ServerReady', {});
  const byModel = await client.call('ModelReady', { name: 'net' });
  client.close();
  assert.equal(byModel.ready, ready);
  const paths = [`${http}/v2/health`, `${metrics}/v2/health`, `${http}/v2/models/net`];
  const replies = await Promise.all(paths.map((path) => rest(`http://127.0.0.1:${path}/ready`)));
  return { ready, statuses: replies.map(({ status }) => status) };
}

test('a worker that restarts never serves another file under the version that was loaded', () =>
  withUntrainedNetwork(async (modelRepository, modelPath) => {
    const settings = { ...TEST_SETTINGS, modelRepository, workers: 2, modelControl: 'explicit' };
    const config = configSchema.parse({ ...settings, loadModels: 'net' });
    const server = new ModelServer(config, { log: createLogger('silent') });
    const ports = await server.listen();
    try {
      await server.load();
      const ask = () => askNet(ports.http, 1);
      const before = await ask();
      await writeFile(modelPath, untrainedNetwork(2));
      for (const pid of server.workerPids) process.kill(pid, 'SIGKILL');
      let answer = before;
      while (!answer.includes('the model file has changed')) {
        answer = await ask();
        assert.ok(answer === before || !answer.startsWith('['), answer);
        await setTimeout(5);
      }
      // Until somebody loads what is there, nothing says that the model answers.
      assert.deepEqual(await readiness(ports), { ready: false, statuses: [503, 503, 503] });
      const lost = await scrape(ports);
      assert.match(lost, /^lcq_server_ready 0$/m);
      assert.match(lost, /^lcq_model_state\{model="net",version="1",state="READY"\} 0$/m);
      assert.match(lost, /^lcq_model_load_failures_total\{model="net",code="NOT_FOUND"\} [1-9]/m);
      while ((await health(ports.grpc)) !== 'NOT_SERVING') await setTimeout(5);
      const load = `http://127.0.0.1:${ports.http}/v2/repository/models/net/load`;
      assert.equal((await rest(load, '')).status, 200);
      assert.deepEqual(await readiness(ports), { ready: true, statuses: [200, 200, 200] });
      assert.match(await scrape(ports), /^lcq_server_ready 1$/m);
      while ((await health(ports.grpc)) !== 'SERVING') await setTimeout(5);
      const after = await ask();
      assert.ok(after.startsWith('[') && after !== before, after);
    } finally {
      await server.close();
    }
  }));
