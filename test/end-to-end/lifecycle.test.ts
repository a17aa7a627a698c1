import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { mock, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { configSchema, type ServerConfig } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { colourSession, withColourRepository } from '../serving/colour-model.js';
import {
  GrpcClient,
  health,
  rest,
  solidImage,
  TEST_SETTINGS,
  withServer,
} from './server-under-test.js';

const SLOW_START = fileURLToPath(new URL('./slow-start.js', import.meta.url));
const SERVER = fileURLToPath(new URL('./colour-server.js', import.meta.url));

interface Child {
  readonly process: ChildProcess;
  readonly ports: { http: number; grpc: number; metrics: number };
}

/** Starts the server as a process and hands it over once it is ready. */
async function withChild<T>(
  use: (child: Child) => Promise<T>,
  settings: Partial<ServerConfig> = {},
): Promise<T> {
  return withColourRepository(async (root) => {
    const stdio = ['ignore', 'pipe', 'inherit', 'ipc'] as const;
    const args = [SERVER, root, JSON.stringify(settings)];
    const child = spawn(process.execPath, args, { stdio: [...stdio] });
    try {
      const [line] = await once(createInterface({ input: child.stdout as Readable }), 'line');
      const said =
        /REST on http:\/\/[^:]+:(\d+), gRPC on [^:]+:(\d+), metrics on http:\/\/[^:]+:(\d+)/.exec(
          line,
        );
      assert.ok(said, line);
      const [http, grpcPort, metrics] = said.slice(1).map(Number);
      return await use({ process: child, ports: { http, grpc: grpcPort, metrics } });
    } finally {
      child.kill('SIGKILL');
    }
  });
}

/** Resolves once that many requests are queued behind the batch that runs. */
async function queued(count: number, { metrics }: Child['ports']): Promise<void> {
  const line = new RegExp(`^lcq_queue_depth{.*} ${count}$`, 'm');
  let text = '';
  while (!line.test(text)) text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
}

/** Resolves once connections are refused. */
async function refusing(url: string): Promise<void> {
  const isOpen = () => fetch(url).then(Boolean, () => false);
  while (await isOpen()) await setTimeout(5);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: what is in flight is answered, new connections are refused, the status is 0`, () =>
    withChild(async ({ process: child, ports }) => {
      const image = await solidImage([0, 0, 255]);
      const url = `http://127.0.0.1:${ports.http}`;
      const vision = new GrpcClient('lcq.v1.Vision', ports.grpc);
      const exited = once(child, 'exit');
      const running = once(child, 'message');
      const classify = () =>
        rest(`${url}/v1/models/colours:classify`, image).then(({ json }) => json);
      const replies = [classify()];
      await running;
      replies.push(classify(), vision.call('Classify', { model: 'colours', image }));
      await queued(2, ports);
      child.kill(signal);
      await refusing(`${url}/v2/health/live`);
      child.on('message', () => child.send('go on'));
      child.send('go on');
      for (const reply of await Promise.all(replies)) {
        assert.equal(reply.predictions[0].label, 'blue');
      }
      assert.deepEqual(await exited, [0, null]);
      vision.close();
    }));
}

test('for the drain delay the server is not ready and takes requests, also on new connections', () =>
  withChild(
    async ({ process: child, ports }) => {
      child.on('message', () => child.send('go on'));
      const url = `http://127.0.0.1:${ports.http}`;
      const image = await solidImage([0, 0, 255]);
      const old = new GrpcClient('lcq.v1.Vision', ports.grpc);
      await old.call('Classify', { model: 'colours', image });
      child.kill('SIGTERM');
      while ((await rest(`${url}/v2/health/ready`)).status !== 503) await setTimeout(5);
      assert.equal(await health(ports.grpc), 'NOT_SERVING');
      const late = new GrpcClient('lcq.v1.Vision', ports.grpc);
      for (const client of [old, late]) {
        const { predictions } = await client.call('Classify', { model: 'colours', image });
        assert.equal(predictions[0].label, 'blue');
        client.close();
      }
      const { status, headers } = await rest(`${url}/v1/models/colours:classify`, image);
      assert.deepEqual([status, headers.get('connection')], [200, 'close']);
    },
    { drainDelayMs: 3_600_000 },
  ));

test('after the drain delay the server closes', () =>
  withServer(
    async ({ server, url }) => {
      const start = performance.now();
      assert.equal(await server.close(), true);
      assert.ok(performance.now() - start >= 190);
      await assert.rejects(fetch(`${url}/v2/health/live`));
    },
    { drainDelayMs: 200 },
  ));

test('an old gRPC connection is asked to go, and clients move without losing a call', () =>
  withServer(
    async ({ ports, vision }) => {
      const image = await solidImage([0, 0, 255]);
      const connection = connectHttp2(`http://127.0.0.1:${ports.grpc}`);
      let old = false;
      connection.once('goaway', () => {
        old = true;
      });
      const call = () => vision.call('Classify', { model: 'colours', image });
      while (!old) await call();
      // The client's own connection is about as old, within 10 %.
      for (let n = 0; n < 50; n += 1) await call();
      connection.close();
    },
    { grpcConnectionAgeMs: 200 },
  ));

test('an upload that never ends does not keep the process past its drain timeout', () =>
  withServer(
    async ({ server, ports }) => {
      const socket = connect(ports.http, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        'POST /v1/models/colours:classify HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf',
      );
      await setTimeout(50);
      const start = performance.now();
      assert.equal(await server.close(), true);
      assert.ok(performance.now() - start < 2000);
      await once(socket, 'close');
    },
    { drainTimeoutMs: 200 },
  ));

test('a connection that never sent anything does not hold up the drain', () =>
  withServer(async ({ server, ports }) => {
    const socket = connect(ports.http, '127.0.0.1');
    await once(socket, 'connect');
    await setTimeout(20);
    const start = performance.now();
    assert.equal(await server.close(), true);
    assert.ok(performance.now() - start < 2000);
    socket.destroy();
  }));

test('the server is live at once and ready once every model is warm', () =>
  withColourRepository(async (modelRepository) => {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const server = new ModelServer(configSchema.parse({ ...TEST_SETTINGS, modelRepository }), {
      openSession: () => opened.then(() => colourSession()),
      log: createLogger('silent'),
    });
    const ports = await server.listen();
    const url = `http://127.0.0.1:${ports.http}`;
    const inference = new GrpcClient('inference.GRPCInferenceService', ports.grpc);
    const ready = async () => {
      const overRest = await rest(`${url}/v2/health/ready`);
      const overGrpc = await inference.call('ServerReady', {});
      assert.equal(overGrpc.ready, overRest.status === 200);
      if (!overGrpc.ready)
        assert.deepEqual([overRest.status, overRest.json.code], [503, 'UNAVAILABLE']);
      assert.equal(await health(ports.grpc), overGrpc.ready ? 'SERVING' : 'NOT_SERVING');
      return overGrpc.ready;
    };
    assert.equal((await rest(`${url}/v2/health/live`)).status, 200);
    assert.deepEqual(await inference.call('ServerLive', {}), { live: true });
    assert.equal(await ready(), false);
    assert.equal((await rest(`${url}/v2/models/colours/ready`)).status, 404);
    const loaded = server.load();
    // As soon as the repository is read, the model is known and not ready.
    const modelStatus = async () => (await rest(`${url}/v2/models/colours/ready`)).status;
    let status = await modelStatus();
    for (; status === 404; status = await modelStatus()) await setTimeout(5);
    assert.equal(status, 503);
    assert.deepEqual(await inference.call('ModelReady', { name: 'colours' }), { ready: false });
    const image = await solidImage([255, 0, 0]);
    const refused = await rest(`${url}/v1/models/colours:classify`, image);
    assert.deepEqual([refused.status, refused.json.code], [503, 'UNAVAILABLE']);
    open();
    await loaded;
    assert.equal(await ready(), true);
    assert.equal((await rest(`${url}/v1/models/colours:classify`, image)).status, 200);
    inference.close();
    await server.close();
  }));

test('a repository that cannot be served stops the process with status 1 and one clear error', () =>
  withColourRepository(async (root) => {
    await rm(join(root, 'colours', 'labels.txt'));
    const child = spawn(process.execPath, [SERVER, root], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => {
      log += chunk;
    });
    assert.deepEqual(await once(child, 'close'), [1, null]);
    const [line] = log.trim().split('\n');
    assert.equal(JSON.parse(line).msg, 'colours/labels.txt is missing from the model repository');
  }));

for (const settings of [
  { modelControl: 'none' },
  // The second one cannot be loaded.
  { modelControl: 'explicit', loadModels: 'colours,colourless' },
]) {
  test(`a signal during the start ends it in order: ${settings.modelControl}`, () =>
    withColourRepository(async (modelRepository) => {
      const flags = JSON.stringify({ ...TEST_SETTINGS, ...settings, modelRepository });
      const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
      const child = spawn(process.execPath, [SLOW_START, flags], { stdio: [...stdio] });
      try {
        const closed = once(child, 'close');
        const said = text(child.stdout as Readable);
        const log = createInterface({ input: child.stderr as Readable });
        await once(child, 'message');
        child.kill('SIGTERM');
        for await (const line of log) if (line.includes('"draining"')) break;
        (child.stderr as Readable).resume();
        child.send('go on');
        assert.deepEqual(await closed, [0, null]);
        assert.equal(await said, '');
      } finally {
        child.kill('SIGKILL');
      }
    }));
}

test('routes that cannot be made are told from a port that cannot be had', async () => {
  const { readdirSync } = fs;
  const missing = mock.method(fs, 'readdirSync', (path: string, options: object) => {
    if (path.endsWith('/playground/page/')) throw new Error('no such folder');
    return readdirSync(path, options);
  });
  syncBuiltinESMExports();
  try {
    const server = new ModelServer(configSchema.parse(TEST_SETTINGS), {
      openSession: async () => colourSession(),
      log: createLogger('silent'),
    });
    const message = 'the REST routes cannot be made: no such folder';
    await assert.rejects(server.listen(), { code: 'INTERNAL', message });
  } finally {
    missing.mock.restore();
    syncBuiltinESMExports();
  }
});

test('sessions are freed when the server stops', async () => {
  const session = colourSession();
  await withServer(async () => {}, {}, session);
  assert.equal(session.disposed, true);
});

test('a port that is taken is one clear error', () =>
  withServer(async ({ ports }) => {
    const taken = { httpPort: ports.http, grpcPort: ports.grpc, metricsPort: ports.metrics };
    for (const [field, port] of Object.entries(taken)) {
      const config = configSchema.parse({ ...TEST_SETTINGS, [field]: port });
      const server = new ModelServer(config, { log: createLogger('silent') });
      await assert.rejects(server.listen(), {
        code: 'UNAVAILABLE',
        message: `cannot listen on 127.0.0.1:${port}`,
      });
    }
  }));

test('reflection describes both services', () =>
  withServer(async ({ ports }) => {
    assert.deepEqual(await listServices(ports.grpc), [
      'inference.GRPCInferenceService',
      'lcq.v1.Vision',
      'grpc.health.v1.Health',
    ]);
  }));

/** Names that server reflection lists, over the wire as grpcurl asks for them. */
async function listServices(port: number): Promise<string[]> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  // ServerReflectionRequest { list_services = 7: "*" }
  const request = Buffer.from([0x3a, 1, 0x2a]);
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const same = (message: Buffer) => message;
  const stream = client.makeBidiStreamRequest(path, same, same, new grpc.Metadata());
  try {
    stream.write(request);
    const [reply] = (await once(stream, 'data')) as [Buffer];
    return reply.toString('latin1').match(/[a-z][\w.]+\.[A-Z]\w+/g) ?? [];
  } finally {
    stream.cancel();
    stream.on('error', () => {});
    client.close();
  }
}
