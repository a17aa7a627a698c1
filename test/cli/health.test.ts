import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { TEST_SETTINGS, withServer } from '../end-to-end/server-under-test.js';
import { colourSession, withColourRepository } from '../serving/colour-model.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
const certificates = new URL('../../../test/security/certificates/', import.meta.url);
const certificate = (name: string) => fileURLToPath(new URL(name, certificates));

async function health(env: NodeJS.ProcessEnv): Promise<{ status: number; error: string }> {
  const child = spawn(process.execPath, [LCQ, 'health'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let error = '';
  child.stderr.on('data', (chunk) => {
    error += chunk;
  });
  const [status] = await once(child, 'close');
  return { status, error };
}

test('lcq health: 1 while the server is not ready, 0 once it is', () =>
  withColourRepository(async (modelRepository) => {
    const openSession = async () => colourSession();
    const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository });
    const server = new ModelServer(config, { openSession, log: createLogger('silent') });
    const env = { LCQ_METRICS_PORT: String((await server.listen()).metrics) };
    try {
      const starting = { status: 1, error: 'lcq: UNAVAILABLE: not ready: status 503\n' };
      assert.deepEqual(await health(env), starting);
      await server.load();
      assert.deepEqual(await health(env), { status: 0, error: '' });
    } finally {
      await server.close();
    }
  }));

test('lcq health: needs no certificate where clients do', () =>
  withServer(
    async ({ ports }) => {
      const env = { LCQ_METRICS_PORT: String(ports.metrics) };
      assert.deepEqual(await health(env), { status: 0, error: '' });
    },
    {
      tlsCert: certificate('server.crt'),
      tlsKey: certificate('server.key'),
      tlsClientCa: certificate('authority.crt'),
    },
  ));

test('lcq health: 1 and one sentence where nobody listens', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  assert.deepEqual(await health({ LCQ_METRICS_PORT: String(port) }), {
    status: 1,
    error: `lcq: UNAVAILABLE: no answer from 127.0.0.1:${port}\n`,
  });
});
