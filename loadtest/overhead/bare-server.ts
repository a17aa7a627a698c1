import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import type { LcqSession } from '../../src/runtime/lcq-session.js';
import { inferMethod } from '../grpc-sender.js';

interface Request {
  readonly raw_input_contents: readonly Buffer[];
}

/**
 * Serves a session whose input is bytes by the least that a gRPC server can do: one handler that runs it in its own
 * process. No checks, batches, metrics, workers. Resolves to the port.
 */
export function serveBare(session: LcqSession): Promise<number> {
  const [input] = session.inputs;
  const infer: handleUnaryCall<Request, object> = async ({ request }, reply) => {
    const data = new Uint8Array(request.raw_input_contents[0]);
    const shape = [1, ...input.shape.slice(1)];
    const outputs = await session.run({ [input.name]: { datatype: 'UINT8', shape, data } });
    const contents = Object.values(outputs).map(({ data: { buffer } }) => Buffer.from(buffer));
    reply(null, { raw_output_contents: contents });
  };
  const server = new Server();
  server.addService({ ModelInfer: inferMethod }, { ModelInfer: infer });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}
