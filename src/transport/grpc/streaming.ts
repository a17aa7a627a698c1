import { once } from 'node:events';
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { ERROR_CODES } from '../../errors.js';
import type { Operation } from '../../observability/metrics.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { Caller } from '../../serving/service.js';
import { publicError } from '../public-error.js';
import { callerOf, type GrpcContext, observeInference } from './unary.js';

/** Requests of one stream that are worked on at once; beyond that the client is held back by flow control. */
const MAX_IN_FLIGHT = 8;

/**
 * A handler that answers each request of a stream, in their order. Each is counted.
 *
 * The first that fails ends the stream with its status; the replies to those before it have been sent. With
 * `answerFailure`, what that returns is the answer instead, and the stream goes on.
 */
export function inferenceStream<Request, Response>(
  operation: Operation,
  reference: (request: Request) => ModelReference,
  handle: (request: Request, caller: Caller) => Promise<Response>,
  context: GrpcContext,
  answerFailure?: (request: Request, thrown: unknown) => Response,
): handleBidiStreamingCall<Request, Response> {
  const observe = (request: Request) => (code: string, milliseconds: number) =>
    observeInference(context, operation, reference(request), code, milliseconds);
  return (call) => {
    const caller = callerOf(call);
    let inFlight = 0;
    let hasFailed = false;
    /** Settles when the replies to all requests so far are written. */
    let written: Promise<void> = Promise.resolve();
    const fail = (thrown: unknown) => {
      hasFailed = true;
      if (call.cancelled) return;
      const { code, message } = publicError(thrown);
      if (code === 'INTERNAL') context.log.error({ err: thrown, path: call.getPath() }, 'defect');
      call.emit('error', { code: ERROR_CODES[code].grpc, details: message });
    };
    const answer = async (response: Promise<Response>, before: Promise<void>) => {
      const [outcome] = await Promise.allSettled([response, before]);
      if (hasFailed) return;
      if (outcome.status === 'rejected') fail(outcome.reason);
      else await write(call, outcome.value, caller.signal).catch(fail);
    };
    call.on('data', (request: Request) => {
      if (hasFailed) return;
      inFlight += 1;
      if (inFlight >= MAX_IN_FLIGHT) call.pause();
      const response = timed(() => handle(request, caller), observe(request));
      const answered = answerFailure
        ? response.catch((thrown) => answerFailure(request, thrown))
        : response;
      written = answer(answered, written);
      void written.then(() => {
        inFlight -= 1;
        call.resume();
      });
    });
    call.on('end', () => void written.then(() => hasFailed || call.end()));
  };
}

async function timed<Response>(
  work: () => Promise<Response>,
  onDone: (code: string, milliseconds: number) => void,
): Promise<Response> {
  const start = performance.now();
  try {
    const response = await work();
    onDone('OK', performance.now() - start);
    return response;
  } catch (thrown) {
    onDone(publicError(thrown).code, performance.now() - start);
    throw thrown;
  }
}

/** Resolves when the stream can take more. Rejects when its client is gone. */
async function write<Request, Response>(
  call: ServerDuplexStream<Request, Response>,
  response: Response,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (call.write(response)) return;
  await once(call, 'drain', signal ? { signal } : {});
}
