import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gauge } from 'prom-client';
import { createLogger } from '../../src/observability/logger.js';
import { Metrics } from '../../src/observability/metrics.js';
import { MetricsServer } from '../../src/observability/metrics-server.js';
import { rest } from '../end-to-end/server-under-test.js';

test('a gauge that throws costs its scrape, not the server', async () => {
  const metrics = new Metrics();
  new Gauge({
    name: 'broken',
    help: 'Cannot be had.',
    registers: [metrics.registry],
    collect() {
      throw new Error('no value');
    },
  });
  const server = new MetricsServer(metrics, { state: 'ready' }, createLogger('silent'));
  const url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
  try {
    const scrape = await rest(`${url}/metrics`);
    assert.deepEqual([scrape.status, scrape.json.code], [500, 'INTERNAL']);
    assert.equal((await rest(`${url}/v2/health/ready`)).status, 200);
  } finally {
    server.close();
  }
});
