import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSchema, type ServerConfig } from '../../src/config/schema.js';
import { ERROR_CODES } from '../../src/errors.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import {
  type ColourSession,
  colourSession,
  withColourRepository,
} from '../serving/colour-model.js';
import { GrpcClient, rest, solidImage, TEST_SETTINGS } from './server-under-test.js';

interface Controlled {
  readonly root: string;
  readonly url: string;
  readonly inference: GrpcClient;
  readonly sessions: ColourSession[];
  readonly metricsUrl: string;
}

/** A server of the colour repository, a new session for each load. */
function withControl(
  settings: Partial<ServerConfig>,
  use: (context: Controlled) => Promise<void>,
): Promise<void> {
  return withColourRepository(async (root) => {
    const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository: root, ...settings });
    const sessions: ColourSession[] = [];
    const openSession = async () => {
      const session = colourSession(async () => assert.equal(session.disposed, false));
      sessions.push(session);
      return session;
    };
    const server = new ModelServer(config, { openSession, log: createLogger('silent') });
    const ports = await server.listen();
    const inference = new GrpcClient('inference.GRPCInferenceService', ports.grpc);
    try {
      await server.load();
      const url = `http://127.0.0.1:${ports.http}`;
      const metricsUrl = `http://127.0.0.1:${ports.metrics}/metrics`;
      await use({ root, url, inference, sessions, metricsUrl });
    } finally {
      inference.close();
      await server.close();
    }
  });
}

test('with explicit control models are listed, loaded and unloaded, over both transports', () =>
  withControl({ modelControl: 'explicit' }, async ({ url, inference, sessions }) => {
    const index = async (body = '') => (await rest(`${url}/v2/repository/index`, body)).json;
    const post = (action: string, body = '') =>
      rest(`${url}/v2/repository/models/colours/${action}`, body);
    const classify = async () => {
      const image = await solidImage([0, 255, 0]);
      return (await rest(`${url}/v1/models/colours:classify`, image)).status;
    };
    assert.equal((await rest(`${url}/v2/health/ready`)).status, 200);
    assert.deepEqual(await index(), [{ name: 'colours', reason: '' }]);
    assert.equal(await classify(), 404);
    assert.equal((await post('load')).status, 200);
    const ready = { name: 'colours', version: '3', state: 'READY', reason: '' };
    assert.deepEqual(await index('{"ready":true}'), [ready]);
    assert.equal(await classify(), 200);
    assert.deepEqual((await inference.call('RepositoryIndex', {})).models, [ready]);
    await inference.call('RepositoryModelUnload', { model_name: 'colours' });
    assert.equal(sessions[0].disposed, true);
    const unloaded = { ...ready, state: 'UNAVAILABLE', reason: 'unloaded' };
    assert.deepEqual((await inference.call('RepositoryIndex', {})).models, [unloaded]);
    assert.deepEqual(await index('{"ready":true}'), []);
    assert.deepEqual(await inference.call('ModelReady', { name: 'colours' }), { ready: false });
    assert.equal((await rest(`${url}/v2/models/colours/ready`)).status, 503);
    assert.equal(await classify(), 404);
    await inference.call('RepositoryModelLoad', { model_name: 'colours' });
    assert.equal(await classify(), 200);
    const unload = '{"parameters":{"unload_dependents":true}}';
    assert.equal((await post('unload', unload)).status, 200);
    assert.equal((await post('load', '{"parameters":{"config":"{}"}}')).status, 501);
    assert.equal((await post('load', '{')).status, 400);
    assert.equal((await rest(`${url}/v2/repository/models/nothing/load`, '')).status, 404);
    assert.equal((await rest(`${url}/v2/repository/models/..%2fx/load`, '')).status, 400);
    const named = { repository_name: 'x', model_name: 'colours' };
    await assert.rejects(inference.call('RepositoryModelLoad', named), {
      code: ERROR_CODES.UNSUPPORTED.grpc,
    });
  }));

test('without explicit control nobody loads or unloads by request', async () => {
  for (const modelControl of ['none', 'poll'] as const) {
    await withControl({ modelControl }, async ({ url, inference }) => {
      for (const action of ['load', 'unload']) {
        const reply = await rest(`${url}/v2/repository/models/colours/${action}`, '');
        assert.deepEqual([reply.status, reply.json.code], [503, 'UNAVAILABLE']);
        assert.match(reply.json.error, /^explicit model load \/ unload is not allowed/);
      }
      await assert.rejects(inference.call('RepositoryModelUnload', { model_name: 'colours' }), {
        code: ERROR_CODES.UNAVAILABLE.grpc,
      });
      assert.deepEqual((await inference.call('ModelReady', { name: 'colours' })).ready, true);
    });
  }
});

test('requests flow while versions are swapped: none is lost, all are right, old sessions are freed', () =>
  withControl({ modelControl: 'poll', pollIntervalMs: 1 }, async (context) => {
    const { root, url, inference, sessions, metricsUrl } = context;
    let stop = false;
    let answered = 0;
    const loop = async (send: (red: number) => Promise<[number, number]>) => {
      let version = 3;
      for (let red = 0; !stop; red = (red + 16) % 256) {
        const [logit, by] = await send(red);
        assert.equal(logit, red / 16);
        assert.ok(by >= version, `version ${by} answered after ${version}`);
        version = by;
        answered += 1;
      }
    };
    const pixels = (red: number) =>
      Uint8Array.from({ length: 192 }, (_, i) => (i % 3 === 0 ? red : 0));
    const input = { name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3] };
    const overGrpc = async (red: number): Promise<[number, number]> => {
      const request = { model_name: 'colours', inputs: [input], raw_input_contents: [pixels(red)] };
      const reply = await inference.call('ModelInfer', request);
      return [reply.raw_output_contents[0].readFloatLE(0), Number(reply.model_version)];
    };
    const overRest = async (red: number): Promise<[number, number]> => {
      const body = JSON.stringify({ inputs: [{ ...input, data: [...pixels(red)] }] });
      const { status, json } = await rest(`${url}/v2/models/colours/infer`, body);
      assert.equal(status, 200, JSON.stringify(json));
      return [json.outputs[0].data[0], Number(json.model_version)];
    };
    const clients = [overGrpc, overGrpc, overRest].map(loop);
    const swapped = async () => {
      for (let version = 4; version <= 13; version++) {
        await mkdir(join(root, 'colours', 'new'), { recursive: true });
        await writeFile(join(root, 'colours', 'new', 'model.onnx'), `content ${version}`);
        await rename(join(root, 'colours', 'new'), join(root, 'colours', String(version)));
        const from = answered;
        for (;;) {
          const [, by] = await overGrpc(0);
          if (by === version && answered > from) break;
        }
      }
      // Broken content: what answered before goes on.
      await writeFile(join(root, 'colours', 'config.json'), '{');
      let reason = '';
      while (reason === '') {
        const { json } = await rest(`${url}/v2/repository/index`, '');
        reason = json.find((entry: { version: string }) => entry.version === '13').reason;
      }
      assert.match(reason, /config\.json is not JSON/);
      await overGrpc(0);
    };
    try {
      await swapped();
    } finally {
      stop = true;
      await Promise.all(clients);
    }
    assert.ok(answered >= 10);
    assert.equal(sessions.length, 11);
    assert.deepEqual(
      sessions.map(({ disposed }) => disposed),
      sessions.map((_, i) => i < 10),
    );
    const queues = (await (await fetch(metricsUrl)).text()).match(/^lcq_queue_depth\{.*$/gm);
    assert.deepEqual(queues, ['lcq_queue_depth{model="colours",version="13"} 0']);
  }));
