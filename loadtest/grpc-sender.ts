import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { drip } from './drip.js';
import type { Content } from './payload.js';
import type { Stream } from './scenario.js';
import { NO_CONNECTION, type Sender } from './sender.js';

const protoFolder = fileURLToPath(new URL('../../proto/', import.meta.url));
const definition = loadSync(['open_inference.proto', 'vision.proto'], {
  includeDirs: [protoFolder],
  keepCase: true,
});

export const inferMethod = method('inference.GRPCInferenceService', 'ModelInfer');

const METHODS = {
  'grpc-infer': inferMethod,
  'grpc-classify': method('lcq.v1.Vision', 'Classify'),
  'grpc-detect': method('lcq.v1.Vision', 'Detect'),
};

function method(service: string, name: string): MethodDefinition<object, object> {
  return (definition[service] as ServiceDefinition)[name];
}

/**
 * Sends the stream's requests to a gRPC server, `host:port`, over one connection.
 *
 * The frames are gRPC's own, made once and written to HTTP/2 directly: a client library would spend more time on a
 * request than the server does, and the load would be limited by the one who makes it.
 */
export async function grpcSender(
  target: string,
  stream: Stream,
  contents: readonly Content[],
): Promise<Sender> {
  const { path, requestSerialize } = METHODS[stream.call as keyof typeof METHODS];
  const frames = contents.map((content) => frame(requestSerialize(messageOf(stream, content))));
  const session = connect(`http://${target}`);
  await once(session, 'connect');
  // Its requests tell what it came to.
  session.on('error', () => {});
  return {
    send: (turn) => exchange(session, path, frames[turn % frames.length], stream.bytesPerSecond),
    close: async () => session.destroy(),
  };
}

function messageOf({ call, model, input: name, payload }: Stream, content: Content): object {
  if (call !== 'grpc-infer') return { model, image: content };
  if (payload.kind === 'tensor') {
    const { datatype, shape } = payload;
    const inputs = [{ name, datatype, shape }];
    return { model_name: model, inputs, raw_input_contents: [content] };
  }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(content.length);
  const inputs = [{ name, datatype: 'BYTES', shape: [1] }];
  const raw = Buffer.concat([length, content]);
  return { model_name: model, inputs, raw_input_contents: [raw] };
}

/** Uncompressed, and how long. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function exchange(
  session: ClientHttp2Session,
  path: string,
  body: Buffer,
  bytesPerSecond: number | undefined,
): Promise<string> {
  return new Promise((resolve) => {
    if (session.closed || session.destroyed) {
      resolve(NO_CONNECTION);
      return;
    }
    let code: string = NO_CONNECTION;
    const take = (headers: Readonly<Record<string, unknown>>) => {
      const given = headers['grpc-status'];
      if (given !== undefined) code = status[Number(given)] ?? `gRPC ${given}`;
    };
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // A refusal has no body: its status comes with the headers.
    call.on('response', take);
    call.on('trailers', take);
    call.on('error', () => {});
    call.on('close', () => resolve(code));
    call.resume();
    if (bytesPerSecond === undefined) call.end(body);
    else void writeSlowly(call, body, bytesPerSecond);
  });
}

async function writeSlowly(
  call: ClientHttp2Stream,
  body: Buffer,
  bytesPerSecond: number,
): Promise<void> {
  for await (const piece of drip(body, bytesPerSecond)) {
    if (call.destroyed) return;
    call.write(piece);
  }
  call.end();
}
