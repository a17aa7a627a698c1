import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { ERROR_CODES } from '../../src/errors.js';
import { INFERENCE_SERVICE, serviceDefinition } from '../../src/transport/grpc/definitions.js';
import { colourSession } from '../serving/colour-model.js';
import { type ServerUnderTest, withServer } from './server-under-test.js';

/** A request of one picture whose first logit is `red / 16`. */
const requestOf = (red: number, model = 'colours') => ({
  model_name: model,
  id: `r${red}`,
  inputs: [{ name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3] }],
  raw_input_contents: [Uint8Array.from({ length: 192 }, (_, i) => (i % 3 === 0 ? red : 0))],
});

interface StreamReply {
  readonly error_message: string;
  readonly infer_response: {
    readonly id: string;
    readonly parameters: object;
    readonly raw_output_contents: readonly Buffer[];
  };
}

const redOf = ({ infer_response }: StreamReply) =>
  infer_response.raw_output_contents[0].readFloatLE(0) * 16;

const stream = ({ inference }: ServerUnderTest, metadata?: grpc.Metadata) =>
  inference.stream<object, StreamReply>('ModelStreamInfer', metadata);

test('each request of a stream is answered at once, in order and by its own content', () =>
  withServer(async (server) => {
    const call = stream(server);
    call.write(requestOf(16));
    const [first] = (await once(call, 'data')) as [StreamReply];
    assert.deepEqual([first.error_message, first.infer_response.id, redOf(first)], ['', 'r16', 16]);
    assert.deepEqual(first.infer_response.parameters, {
      triton_final_response: { bool_param: true },
    });
    const reds = Array.from({ length: 200 }, (_, i) => i);
    for (const red of reds) call.write(requestOf(red));
    call.end();
    const replies: StreamReply[] = [];
    for await (const reply of call) replies.push(reply);
    assert.deepEqual(replies.map(redOf), reds);
    assert.deepEqual(
      replies.map(({ infer_response }) => infer_response.id),
      reds.map((red) => `r${red}`),
    );
    assert.ok(server.session.batches.length < 201, 'requests of a stream were joined');
  }));

test('a request that fails is an error message, and the stream goes on', () =>
  withServer(async (server) => {
    const call = stream(server);
    call.write(requestOf(32));
    call.write(requestOf(48, 'nothing'));
    call.write(requestOf(64));
    call.end();
    const replies: StreamReply[] = [];
    for await (const reply of call) replies.push(reply);
    assert.equal(replies.length, 3);
    assert.match(replies[1].error_message, /unknown model: 'nothing' is not found/);
    assert.equal(replies[1].infer_response.id, 'r48');
    assert.deepEqual([redOf(replies[0]), redOf(replies[2])], [32, 64]);
  }));

test('with triton_grpc_error the first failure ends the stream with its status', () =>
  withServer(async (server) => {
    const metadata = new grpc.Metadata();
    metadata.set('triton_grpc_error', 'true');
    const call = stream(server, metadata);
    const replies: StreamReply[] = [];
    call.on('data', (reply: StreamReply) => replies.push(reply));
    const failed = new Promise<grpc.ServiceError>((resolve) => call.on('error', resolve));
    call.write(requestOf(32));
    call.write(requestOf(48, 'nothing'));
    call.write(requestOf(64));
    const error = await failed;
    assert.equal(error.code, ERROR_CODES.NOT_FOUND.grpc);
    assert.deepEqual(replies.map(redOf), [32]);
  }));

test('a cancelled stream takes its requests out of the queue', () => {
  let open: () => void = () => {};
  let gate: Promise<void> = Promise.resolve();
  const session = colourSession(() => gate);
  return withServer(
    async (server) => {
      gate = new Promise((resolve) => {
        open = resolve;
      });
      const running = server.inference.call('ModelInfer', requestOf(16));
      const depthReaches = async (depth: number) => {
        const end = performance.now() + 10_000;
        const text = `lcq_queue_depth{model="colours",version="3"} ${depth}\n`;
        while (!(await server.metrics()).includes(text)) assert.ok(performance.now() < end);
      };
      while (session.batches.length === 0) await new Promise(setImmediate);
      const call = stream(server);
      call.on('error', () => {});
      for (let red = 0; red < 5; red++) call.write(requestOf(red));
      await depthReaches(5);
      call.cancel();
      await depthReaches(0);
      open();
      assert.equal((await running).id, 'r16');
      assert.deepEqual(session.batches, [1]);
    },
    {},
    session,
  );
});

test('a deadline that passes while replies wait for their client ends the stream with its status', () =>
  withServer(async ({ ports }) => {
    const { path, requestSerialize } = serviceDefinition(INFERENCE_SERVICE).ModelStreamInfer;
    const frames = [16, 32].flatMap((red) => {
      const message = requestSerialize(requestOf(red));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      return [head, message];
    });
    // The first reply is larger than this, so it stays on its way, and the second behind it, until the client reads.
    const settings = { initialWindowSize: 16 };
    const session = connect(`http://127.0.0.1:${ports.grpc}`, { settings });
    try {
      const call = session.request({
        ...{ ':method': 'POST', ':path': path, te: 'trailers' },
        ...{ 'content-type': 'application/grpc', 'grpc-timeout': '500m' },
      });
      const trailers: IncomingHttpHeaders = {};
      call.on('response', (headers) => Object.assign(trailers, headers));
      call.on('trailers', (headers) => Object.assign(trailers, headers));
      call.end(Buffer.concat(frames));
      await setTimeout(700);
      call.resume();
      await once(call, 'close', { signal: AbortSignal.timeout(10_000) });
      assert.equal(trailers['grpc-status'], String(ERROR_CODES.DEADLINE_EXCEEDED.grpc));
    } finally {
      session.destroy();
    }
  }));
