import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { connect, type PeerCertificate } from 'node:tls';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { GrpcClient, type ServerUnderTest, withServer } from './server-under-test.js';

const folder = fileURLToPath(new URL('../../../test/security/certificates/', import.meta.url));
const pem = (name: string) => readFileSync(join(folder, name));
const ca = pem('authority.crt');

/** Who a client shows itself as; undefined: without a certificate. */
type Client = 'client' | 'stranger' | undefined;
const identity = (client: Client) =>
  client ? { cert: pem(`${client}.crt`), key: pem(`${client}.key`) } : {};

async function overRest({ ports }: ServerUnderTest, client?: Client): Promise<number | string> {
  const options = { host: '127.0.0.1', port: ports.http, path: '/v2', agent: false, ca };
  try {
    const [response] = await once(request({ ...options, ...identity(client) }).end(), 'response');
    response.resume();
    return response.statusCode;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'refused';
  }
}

async function overGrpc({ ports }: ServerUnderTest, client?: Client): Promise<string> {
  const { cert, key } = identity(client);
  const credentials = grpc.credentials.createSsl(ca, key ?? null, cert ?? null);
  const inference = new GrpcClient('inference.GRPCInferenceService', ports.grpc, credentials);
  try {
    return (await inference.call('ServerMetadata', {})).name;
  } catch (error) {
    return grpc.status[(error as grpc.ServiceError).code];
  } finally {
    inference.close();
  }
}

/** The name in the certificate that a port shows. */
async function shownBy(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['h2', 'http/1.1'] });
  await once(socket, 'secureConnect');
  const { subject }: PeerCertificate = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN as string;
}

const settings = { tlsCert: join(folder, 'server.crt'), tlsKey: join(folder, 'server.key') };

test('both ports speak TLS, and nothing else', () =>
  withServer(async (context) => {
    assert.equal(await overRest(context), 200);
    assert.equal(await overGrpc(context), 'lcq-serving');
    await assert.rejects(fetch(`http://127.0.0.1:${context.ports.http}/v2`));
    const start = performance.now();
    assert.equal(await context.server.close(), true);
    assert.ok(performance.now() - start < 2000);
  }, settings));

test('with client authorities only their clients are let in', () =>
  withServer(
    async (context) => {
      assert.equal(await overRest(context, 'client'), 200);
      assert.equal(await overGrpc(context, 'client'), 'lcq-serving');
      for (const client of [undefined, 'stranger'] as const) {
        assert.equal(typeof (await overRest(context, client)), 'string');
        assert.equal(await overGrpc(context, client), 'UNAVAILABLE');
      }
    },
    { ...settings, tlsClientCa: join(folder, 'authority.crt') },
  ));

test('certificates follow their files; half of a renewal changes nothing', async () => {
  const live = await mkdtemp(join(tmpdir(), 'lcq-tls-'));
  const install = (name: string, part: 'crt' | 'key') =>
    copyFile(join(folder, `${name}.${part}`), join(live, `live.${part}`));
  try {
    await install('server', 'crt');
    await install('server', 'key');
    const [tlsCert, tlsKey] = [join(live, 'live.crt'), join(live, 'live.key')];
    await withServer(
      async ({ ports }) => {
        assert.equal(await shownBy(ports.http), 'server');
        await install('renewed', 'crt');
        await setTimeout(100);
        assert.equal(await shownBy(ports.http), 'server');
        await install('renewed', 'key');
        for (const port of [ports.http, ports.grpc]) {
          const deadline = performance.now() + 5000;
          while ((await shownBy(port)) !== 'renewed') {
            assert.ok(performance.now() < deadline, 'the certificate was not renewed');
            await setTimeout(20);
          }
        }
      },
      { tlsCert, tlsKey, reloadIntervalMs: 20 },
    );
  } finally {
    await rm(live, { recursive: true });
  }
});

test('files that do not belong together are refused at the start', async () => {
  const mismatched = { ...settings, tlsKey: join(folder, 'client.key') };
  await assert.rejects(
    withServer(async () => {}, mismatched),
    { code: 'INVALID_ARGUMENT' },
  );
  await assert.rejects(
    withServer(async () => {}, { tlsCert: settings.tlsCert }),
    /tlsKey/,
  );
  const missing = { ...settings, tlsKey: '/nonexistent.key' };
  await assert.rejects(
    withServer(async () => {}, missing),
    { code: 'NOT_FOUND' },
  );
});
