import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { blockPicture, withDetectionServer } from '../end-to-end/block-detector.js';
import {
  type RestReply,
  rest,
  solidImage,
  TEST_SETTINGS,
  withServer,
} from '../end-to-end/server-under-test.js';
import { colourSession } from '../serving/colour-model.js';
import { assertPromised } from './contract.js';

const CLASSIFY = '/v1/models/{model}:classify';
const DETECT = '/v1/models/{model}:detect';
const INFER = '/v2/models/{model}/infer';
const LOAD = '/v2/repository/models/{model}/load';

const PIXELS = { name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3], data: Array(192).fill(9) };

/** Asks for a path of the contract, and checks that the reply is one that the contract promises. */
function client(url: string, model = 'colours', version = '3') {
  const ask = async (
    method: 'get' | 'post',
    path: string,
    body?: Uint8Array | string | FormData,
    { query = '', ...init }: RequestInit & { query?: string } = {},
  ): Promise<RestReply> => {
    const place = path.replace('{model}', model).replace('{version}', version);
    const reply = await rest(`${url}${place}${query}`, body, { method, ...init });
    assertPromised(path, method, reply);
    return reply;
  };
  return ask;
}

/** The codes of replies, in order; OK for those that are no error. */
const codes = (replies: readonly RestReply[]) =>
  replies.map(({ status, json }) => (status === 200 ? 'OK' : json.code));

const form = (...images: readonly Buffer[]) => {
  const fields = new FormData();
  for (const image of images) fields.append('image', new Blob([Uint8Array.from(image)]), 'a.png');
  return fields;
};

test('what a server says of itself and its models is as promised', () =>
  withServer(
    async ({ url }) => {
      const ask = client(url);
      const image = await solidImage([0, 255, 0]);
      const replies = [
        await ask('post', CLASSIFY, image),
        await ask('post', '/v1/models/{model}/versions/{version}:classify', image),
        await ask('post', CLASSIFY, form(image, image), { query: '?topK=1' }),
        await ask('post', INFER, JSON.stringify({ id: 'a', inputs: [PIXELS] })),
        await ask(
          'post',
          '/v2/models/{model}/versions/{version}/infer',
          JSON.stringify({
            inputs: [PIXELS],
            outputs: [{ name: 'logits', parameters: { classification: 2 } }],
          }),
        ),
        await ask(
          'post',
          INFER,
          JSON.stringify({ inputs: [PIXELS], parameters: { binary_data_output: true } }),
        ),
        await ask('post', LOAD, '{}'),
        await ask('post', '/v2/repository/index', ''),
      ];
      for (const path of [
        '/v1/models',
        '/v1/models/{model}',
        '/v1/models/{model}/versions/{version}',
        '/v2',
        '/v2/',
        '/v2/health/live',
        '/v2/health/ready',
        '/v2/models/stats',
        '/v2/systemsharedmemory/status',
        '/v2/cudasharedmemory/status',
        ...['', '/ready', '/config', '/stats'].flatMap((end) => [
          `/v2/models/{model}${end}`,
          `/v2/models/{model}/versions/{version}${end}`,
        ]),
      ]) {
        replies.push(await ask('get', path));
      }
      replies.push(await ask('post', '/v2/repository/models/{model}/unload', ''));
      assert.deepEqual(new Set(codes(replies)), new Set(['OK']));
      const gone = [
        await ask('get', '/v2/models/{model}/ready'),
        await ask('get', '/v2/models/{model}'),
      ];
      assert.deepEqual(codes(gone), ['UNAVAILABLE', 'NOT_FOUND']);
      await ask('post', '/v2/repository/index', '{"ready":false}');
    },
    { modelControl: 'explicit', loadModels: 'colours' },
  ));

test('quantized layers are described as promised', async () => {
  const config = configSchema.parse({ ...TEST_SETTINGS, workers: 0 });
  const server = new ModelServer(config, { log: createLogger('silent') });
  const { http } = await server.listen();
  try {
    await server.load();
    const ask = client(`http://127.0.0.1:${http}`, 'resnet20-cifar10-w2a2', '1');
    await ask('get', '/v1/models');
    const { json } = await ask('get', '/v1/models/{model}');
    assert.equal(json.layers.length, 20);
  } finally {
    await server.close();
  }
});

test('detections are as promised', () =>
  withDetectionServer(async ({ url }) => {
    const ask = client(url, 'blocks', '1');
    const image = await blockPicture(64, 64, [{ colour: '#f00', at: [1, 1] }])
      .png()
      .toBuffer();
    const replies = [
      await ask('post', DETECT, image),
      await ask('post', '/v1/models/{model}/versions/{version}:detect', image),
      await ask('post', DETECT, form(image, image)),
      await ask('post', DETECT, image, { query: '?render=1' }),
      await ask('post', DETECT, image, { query: '?scoreThreshold=2' }),
    ];
    assert.deepEqual(codes(replies), ['OK', 'OK', 'OK', 'OK', 'INVALID_ARGUMENT']);
    assert.equal(replies[3].type, 'image/png');
  }));

test('what is refused is refused as promised', () =>
  withServer(
    async ({ url }) => {
      const ask = client(url);
      const image = await solidImage([0, 255, 0]);
      const stranger = client(url, 'nothing');
      const shared = { ...PIXELS, data: undefined, parameters: { shared_memory_region: 'r' } };
      const replies = [
        await ask('post', CLASSIFY, Buffer.from('no picture')),
        await ask('post', CLASSIFY, image, { query: '?topK=0' }),
        await ask('post', DETECT, image),
        await ask('post', INFER, '{}'),
        await ask('post', '/v2/repository/index', '['),
        await stranger('post', CLASSIFY, image),
        await stranger('get', '/v2/models/{model}/stats'),
        await ask('post', CLASSIFY, new Uint8Array(5000)),
        await ask('post', INFER, new Uint8Array(5000)),
        await ask('post', CLASSIFY, image, { headers: { 'content-type': 'text/html' } }),
        await ask('post', INFER, '{}', { headers: { 'content-encoding': 'br' } }),
        await ask('post', INFER, JSON.stringify({ inputs: [shared] })),
        await ask('post', LOAD, '{}'),
        await ask('post', LOAD, '{"parameters":{"config":"{}"}}'),
        await ask('get', '/v2/logging'),
        await ask('post', '/v2/trace/setting', '{}'),
        await ask('post', '/v2/systemsharedmemory/region/{region}/register', '{}'),
        await ask('get', '/v2/cudasharedmemory/region/{region}/status'),
        await ask('post', '/v2/repository/{repository}/models/{model}/load', ''),
      ];
      assert.deepEqual(codes(replies), [
        ...Array(5).fill('INVALID_ARGUMENT'),
        ...['NOT_FOUND', 'NOT_FOUND', 'TOO_LARGE', 'TOO_LARGE'],
        ...['UNSUPPORTED_MEDIA_TYPE', 'UNSUPPORTED_MEDIA_TYPE', 'UNSUPPORTED'],
        ...['UNAVAILABLE', 'UNSUPPORTED'],
        ...['UNSUPPORTED', 'UNSUPPORTED', 'UNSUPPORTED', 'NOT_FOUND', 'UNSUPPORTED'],
      ]);
    },
    { maxBodyBytes: 4096 },
  ));

test('refusals by key and by rate are as promised', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-contract-'));
  try {
    const apiKeys = join(folder, 'keys.json');
    await writeFile(apiKeys, JSON.stringify({ keys: [{ name: 'a', key: 'sixteen characters' }] }));
    const settings = { apiKeys, rateLimit: 0.01, rateBurst: 2 };
    await withServer(async ({ url }) => {
      const ask = client(url);
      const headers = { 'x-api-key': 'sixteen characters' };
      const replies = [
        await ask('get', '/v2/health/ready'),
        await ask('get', '/v2'),
        await ask('post', LOAD, '{}', { headers }),
        await ask('get', '/v2', undefined, { headers }),
        await ask('get', '/v2', undefined, { headers }),
        await ask('get', '/v2', undefined, { headers }),
      ];
      assert.deepEqual(codes(replies), [
        ...['OK', 'UNAUTHENTICATED', 'PERMISSION_DENIED', 'OK', 'OK', 'RESOURCE_EXHAUSTED'],
      ]);
      assert.ok(replies[5].headers.get('retry-after'));
      // The document is no secret.
      assert.equal((await rest(`${url}/docs/openapi.json`)).status, 200);
    }, settings);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a deadline that passes and a model that breaks are answered as promised', async () => {
  let beforeRun = async () => {};
  const session = colourSession(() => beforeRun());
  await withServer(
    async ({ url }) => {
      const ask = client(url);
      const image = await solidImage([0, 255, 0]);
      let open = () => {};
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      beforeRun = () => gate;
      const running = ask('post', CLASSIFY, image);
      while (session.batches.length === 0) await setTimeout(1);
      const late = ask('post', CLASSIFY, image, { headers: { 'x-request-timeout-ms': '1' } });
      // If it got into the queue at all, it leaves it when the run ends.
      await Promise.race([late, setTimeout(500)]);
      open();
      assert.deepEqual(codes([await running, await late]), ['OK', 'DEADLINE_EXCEEDED']);
      beforeRun = () => Promise.reject(new Error('the inside'));
      const broken = await ask('post', CLASSIFY, image, { headers: { 'x-request-id': 'mine' } });
      assert.deepEqual(broken.json, { error: 'internal error', code: 'INTERNAL' });
      assert.equal(broken.headers.get('x-request-id'), 'mine');
    },
    {},
    session,
  );
});
