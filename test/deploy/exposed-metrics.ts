import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { TEST_SETTINGS } from '../end-to-end/server-under-test.js';
import { withUntrainedNetwork } from '../end-to-end/untrained-network.js';
import { root } from './go-tools.js';

const certificate = (name: string) => join(root, 'test', 'security', 'certificates', name);

/**
 * What `GET /metrics` says of a real server once everything that makes a series has happened to it: requests that
 * succeed and fail, a model that does not load, a worker that is killed, certificates.
 */
export function exposedMetrics(): Promise<string> {
  return withUntrainedNetwork(async (modelRepository) => {
    const tls = { tlsCert: certificate('server.crt'), tlsKey: certificate('server.key') };
    const settings = { ...TEST_SETTINGS, ...tls, modelRepository, modelControl: 'explicit' };
    const config = configSchema.parse({ ...settings, loadModels: 'net', memoryBudgetBytes: 1e9 });
    const server = new ModelServer(config, { log: createLogger('silent') });
    const ports = await server.listen();
    const scrape = async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    try {
      await server.load();
      const data = new Array(16 * 16 * 3).fill(0);
      const inputs = [{ name: 'image', datatype: 'UINT8', shape: [1, 16, 16, 3], data }];
      assert.equal(await post(ports.http, '/v2/models/net/infer', { inputs }), 200);
      assert.equal(await post(ports.http, '/v2/models/net/infer', {}), 400);
      writeFileSync(join(modelRepository, 'net', 'config.json'), '{}');
      assert.notEqual(await post(ports.http, '/v2/repository/models/net/load', {}), 200);
      process.kill(server.workerPids[0], 'SIGKILL');
      const deadline = performance.now() + 30_000;
      while (!/^lcq_worker_crashes_total\{/m.test(await scrape())) {
        assert.ok(performance.now() < deadline);
        await setTimeout(20);
      }
      return await scrape();
    } finally {
      await server.close();
    }
  });
}

function post(port: number, path: string, body: object): Promise<number | undefined> {
  const ca = readFileSync(certificate('authority.crt'));
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method: 'POST', ca, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}
