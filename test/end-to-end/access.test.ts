import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { type RestReply, rest, type ServerUnderTest, withServer } from './server-under-test.js';

const KEY = 'key-of-the-camera';
const ADMIN_KEY = 'key-of-the-operator';
const FILE = {
  keys: [
    { name: 'camera', key: KEY },
    { name: 'operator', key: ADMIN_KEY, role: 'admin' },
  ],
};

async function withKeys<T>(use: (context: ServerUnderTest, file: string) => Promise<T>) {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-keys-'));
  try {
    const apiKeys = join(folder, 'keys.json');
    await writeFile(apiKeys, JSON.stringify(FILE));
    const settings = { apiKeys, reloadIntervalMs: 20, modelControl: 'explicit' } as const;
    return await withServer((context) => use(context, apiKeys), settings);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const outcome = ({ status, json }: RestReply) => [status, json?.code];

/** The status of a call with this metadata. */
async function grpcStatus(
  { inference }: ServerUnderTest,
  method: string,
  request: object,
  headers: Record<string, string>,
): Promise<number> {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return inference.call(method, request, {}, metadata).then(
    () => grpc.status.OK,
    (error: grpc.ServiceError) => error.code,
  );
}

test('with keys, callers without a valid one are refused on both transports', () =>
  withKeys(async (context) => {
    const url = `${context.url}/v2`;
    const credentials = [
      [{}, 401],
      [{ 'x-api-key': 'the key of somebody else' }, 401],
      [{ 'x-api-key': '' }, 401],
      [{ 'x-api-key': 'x'.repeat(5000) }, 401],
      [{ authorization: `Basic ${KEY}` }, 401],
      [{ authorization: `Bearer x${KEY}` }, 401],
      [{ 'x-api-key': KEY }, 200],
      [{ authorization: `Bearer ${KEY}` }, 200],
      [{ authorization: `bearer ${ADMIN_KEY}` }, 200],
    ] as const;
    for (const [headers, status] of credentials) {
      const reply = await rest(url, undefined, { headers });
      assert.equal(reply.status, status);
      if (status === 401) assert.equal(reply.headers.get('www-authenticate'), 'Bearer');
      const expected = status === 401 ? grpc.status.UNAUTHENTICATED : grpc.status.OK;
      assert.equal(await grpcStatus(context, 'ServerMetadata', {}, headers), expected);
    }
    // What does not exist is no secret's neighbour: without a key it is not told.
    assert.equal((await rest(`${context.url}/invented`)).status, 401);
  }));

test('a form in gzip is refused after its caller is: with an id, and counted', () =>
  withKeys(async ({ url, metrics }) => {
    const headers = {
      'content-type': 'multipart/form-data; boundary=x',
      'content-encoding': 'gzip',
    };
    const send = (more: object) =>
      rest(`${url}/v1/models/colours:classify`, 'form', { headers: { ...headers, ...more } });
    assert.deepEqual(outcome(await send({})), [401, 'UNAUTHENTICATED']);
    const refused = await send({ 'x-api-key': KEY });
    assert.deepEqual(outcome(refused), [415, 'UNSUPPORTED_MEDIA_TYPE']);
    assert.ok(refused.headers.get('x-request-id'));
    assert.match(await metrics(), /^lcq_requests_total\{.*code="UNSUPPORTED_MEDIA_TYPE"\} 1$/m);
  }));

test('probes need no key', () =>
  withKeys(async (context) => {
    for (const path of ['live', 'ready']) {
      assert.equal((await rest(`${context.url}/v2/health/${path}`)).status, 200);
    }
    for (const method of ['ServerLive', 'ServerReady']) {
      assert.equal(await grpcStatus(context, method, {}, {}), grpc.status.OK);
    }
  }));

test('admin endpoints take keys of the role admin only', () =>
  withKeys(async (context) => {
    const load = `${context.url}/v2/repository/models/colours/load`;
    const [refused, allowed] = [{ 'x-api-key': KEY }, { 'x-api-key': ADMIN_KEY }];
    const asCamera = await rest(load, '{}', { headers: refused });
    assert.deepEqual(outcome(asCamera), [403, 'PERMISSION_DENIED']);
    assert.equal((await rest(load, '{}', { headers: allowed })).status, 200);
    const [method, request] = ['RepositoryModelLoad', { model_name: 'colours' }];
    assert.equal(
      await grpcStatus(context, method, request, refused),
      grpc.status.PERMISSION_DENIED,
    );
    assert.equal(await grpcStatus(context, method, request, allowed), grpc.status.OK);
  }));

test('keys follow their file; a broken one changes nothing', () =>
  withKeys(async ({ url }, file) => {
    const status = async (key: string) =>
      (await rest(`${url}/v2`, undefined, { headers: { 'x-api-key': key } })).status;
    const becomes = async (key: string, expected: number) => {
      const deadline = performance.now() + 5000;
      while ((await status(key)) !== expected) {
        assert.ok(performance.now() < deadline, `${key} is not ${expected}`);
        await setTimeout(10);
      }
    };
    await writeFile(
      file,
      JSON.stringify({ keys: [{ name: 'next', key: 'the key that follows' }] }),
    );
    await becomes('the key that follows', 200);
    assert.equal(await status(KEY), 401);
    await writeFile(file, 'half a file');
    await setTimeout(100);
    assert.equal(await status('the key that follows'), 200);
    assert.equal(await status('half a file'), 401);
  }));

test('admin endpoints can be switched off', () =>
  withServer(
    async (context) => {
      const load = `${context.url}/v2/repository/models/colours/load`;
      assert.deepEqual(outcome(await rest(load, '{}')), [403, 'PERMISSION_DENIED']);
      const status = await grpcStatus(
        context,
        'RepositoryModelLoad',
        { model_name: 'colours' },
        {},
      );
      assert.equal(status, grpc.status.PERMISSION_DENIED);
      assert.equal((await rest(`${context.url}/v2`)).status, 200);
    },
    { adminAccess: 'off', modelControl: 'explicit' },
  ));

test('one client gets what the rate limit gives, over both transports together; probes are free', () =>
  withServer(
    async (context) => {
      for (let i = 0; i < 3; i++) assert.equal((await rest(`${context.url}/v2`)).status, 200);
      const refused = await rest(`${context.url}/v2`);
      assert.deepEqual(outcome(refused), [429, 'RESOURCE_EXHAUSTED']);
      assert.ok(Number(refused.headers.get('retry-after')) >= 1);
      assert.equal(
        await grpcStatus(context, 'ServerMetadata', {}, {}),
        grpc.status.RESOURCE_EXHAUSTED,
      );
      assert.equal((await rest(`${context.url}/v2/health/ready`)).status, 200);
    },
    { rateLimit: 0.01, rateBurst: 3 },
  ));
