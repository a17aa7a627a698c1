/** What the fuzzer found: each request once crashed, hung, leaked, or was blamed on the server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import type { GrpcCall } from '../fuzz/grpc-calls.js';
import { GrpcConnections, type GrpcReply } from '../fuzz/grpc-connection.js';
import { varint } from '../onnx/wire.js';
import { rest, type ServerUnderTest, withServer } from './server-under-test.js';

const CLASSIFY = '/lcq.v1.Vision/Classify';

function frame(flag: number, message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A message whose first field is this text. */
const named = (name: string) =>
  Buffer.concat([Buffer.from([0x0a, ...varint(Buffer.byteLength(name))]), Buffer.from(name)]);

async function withGrpc(
  use: (send: (call: GrpcCall) => Promise<GrpcReply>, server: ServerUnderTest) => Promise<void>,
): Promise<void> {
  await withServer(async (server) => {
    const connections = new GrpcConnections(server.ports.grpc, 10_000);
    const send = async (call: GrpcCall) => {
      const outcome = await connections.send(call);
      assert.ok(typeof outcome === 'object', String(outcome));
      return outcome;
    };
    try {
      await use(send, server);
      assert.equal((await server.inference.call('ServerReady', {})).ready, true);
    } finally {
      connections.close();
    }
  });
}

test('gRPC messages that cannot be read are INVALID_ARGUMENT', () =>
  withGrpc(async (send) => {
    const message = named('colours');
    const nested = Buffer.alloc(200_000, Buffer.of(0xf3, 1));
    const cases: [GrpcCall, RegExp][] = [
      // Field 30 of a wire type that is none.
      [{ path: CLASSIFY, headers: [], bytes: frame(0, Buffer.of(0xf7, 1)) }, /deserializing/],
      // Groups, which proto3 does not have, within groups.
      [{ path: CLASSIFY, headers: [], bytes: frame(0, nested) }, /deserializing/],
      [
        { path: CLASSIFY, headers: [['grpc-encoding', 'gzip']], bytes: frame(1, message) },
        /decompress/,
      ],
      [
        {
          path: CLASSIFY,
          headers: [['grpc-encoding', 'gzip']],
          bytes: frame(1, gzipSync(message).subarray(0, -9)),
        },
        /decompress/,
      ],
      [
        { path: CLASSIFY, headers: [['grpc-timeout', 'soon']], bytes: frame(0, message) },
        /grpc-timeout/,
      ],
    ];
    for (const [call, details] of cases) {
      const { status, message } = await send(call);
      assert.equal(status, grpc.status.INVALID_ARGUMENT, details.source);
      assert.match(decodeURI(message), details);
    }
  }));

test('gRPC messages that quote half a character, or megabytes, are sent', () =>
  withGrpc(async (send, { vision }) => {
    for (const model of ['😀'.repeat(600), `x${'😀'.repeat(600)}`]) {
      await assert.rejects(vision.call('Classify', { model }), { code: grpc.status.NOT_FOUND });
    }
    const name = named('n'.repeat(1 << 20));
    const call = { path: '/grpc.health.v1.Health/Check', headers: [], bytes: frame(0, name) };
    const { status, message } = await send(call);
    assert.equal(status, grpc.status.NOT_FOUND);
    assert.ok(message.length < 1100);
  }));

test('health watches of services that are not there leave nothing behind', () =>
  withGrpc(async (send) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const watch = (i: number) => {
      const name = named(`${i}`.padEnd(1 << 20));
      return send({ path: '/grpc.health.v1.Health/Watch', headers: [], bytes: frame(0, name) });
    };
    const { body } = await watch(0);
    // SERVICE_UNKNOWN
    assert.deepEqual([...body], [0, 0, 0, 0, 2, 8, 3]);
    collect();
    const before = process.memoryUsage().heapUsed;
    await Promise.all(Array.from({ length: 40 }, (_, i) => watch(i + 1)));
    collect();
    assert.ok(process.memoryUsage().heapUsed - before < 10 << 20);
  }));

test('an expectation that nobody knows is ignored', () =>
  withServer(async ({ ports }) => {
    const socket = connect(ports.http, '127.0.0.1');
    socket.write(
      'GET /v2/health/live HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\nconnection: close\r\n\r\n',
    );
    assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\{"live":true\}$/);
  }));

test('a request without a host is refused with a code, and one of HTTP/1.0 needs none', () =>
  withServer(async ({ ports }) => {
    const get = async (version: string) => {
      const socket = connect(ports.http, '127.0.0.1');
      socket.write(`GET /v2/health/live HTTP/${version}\r\nconnection: close\r\n\r\n`);
      return text(socket);
    };
    const refused = await get('1.1');
    assert.match(refused, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(refused, /\{"error":"header 'host' is missing","code":"INVALID_ARGUMENT"\}$/);
    assert.match(await get('1.0'), / 200 OK\r\n/);
  }));

test('whoever sends what is no HTTP is cut off after the answer, also if they keep their end open', () =>
  withServer(async ({ ports }) => {
    const socket = connect({ port: ports.http, host: '127.0.0.1', allowHalfOpen: true });
    const cutOff = once(socket, 'error', { signal: AbortSignal.timeout(10_000) }).catch((e) => e);
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.write('no HTTP\r\n\r\n');
    await once(socket, 'end');
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*"code":"INVALID_ARGUMENT"\}$/);
    // Whether the other end is closed too shows when something arrives there.
    const more = setInterval(() => socket.write('more'), 5);
    const [error] = await cutOff.finally(() => clearInterval(more));
    assert.match(error.code, /ECONNRESET|EPIPE/);
  }));

test('JSON nested deeper than the stack is refused wherever it is', () =>
  withServer(async ({ url }) => {
    const deep = `${'{"a":'.repeat(100_000)}0${'}'.repeat(100_000)}`;
    const input = `"name":"image","datatype":"UINT8","shape":[1,8,8,3]`;
    for (const [body, message] of [
      [
        `{"inputs":[{${input},"data":[${deep}${',0'.repeat(191)}]}]}`,
        /an object is not a value of UINT8/,
      ],
      [`{"inputs":[{${input},"data":${deep}}]}`, /'data' must be an array/],
      [`{"inputs":${deep}}`, /'inputs'/],
      [
        `{"parameters":{"priority":${deep}},"inputs":[{${input},"data":[0${',0'.repeat(191)}]}]}`,
        /'priority'/,
      ],
    ] as const) {
      const { status, json } = await rest(`${url}/v2/models/colours/infer`, body);
      assert.deepEqual([status, json.code], [400, 'INVALID_ARGUMENT'], message.source);
      assert.match(json.error, message);
    }
  }));

test('millions of empty BYTES elements are refused at the first one too many', () =>
  withServer(async ({ inference }) => {
    const request = {
      model_name: 'colours',
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [1] }],
      raw_input_contents: [Buffer.alloc(32 << 20)],
    };
    await assert.rejects(inference.call('ModelInfer', request), {
      code: grpc.status.INVALID_ARGUMENT,
      details: "input 'image' has more than 1 BYTES elements for shape [1]",
    });
  }));
