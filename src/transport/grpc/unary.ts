import { type handleUnaryCall, Metadata } from '@grpc/grpc-js';
import { ERROR_CODES, LcqError } from '../../errors.js';
import type { Logger } from '../../observability/logger.js';
import type { Metrics, Operation } from '../../observability/metrics.js';
import type { ModelControl } from '../../serving/model-control.js';
import type { ModelReference } from '../../serving/model-reference.js';
import { RequestTiming } from '../../serving/request-timing.js';
import type { Caller, InferenceService } from '../../serving/service.js';
import { publicError } from '../public-error.js';
import { SERVER_TIMING, serverTiming } from '../server-timing.js';

export interface GrpcContext {
  readonly service: InferenceService;
  readonly models: ModelControl;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** A handler that only answers: what it throws becomes a status. */
export function unary<Request, Response>(
  handle: (request: Request, caller: Caller) => Response | Promise<Response>,
  { log }: Pick<GrpcContext, 'log'>,
  onDone: (request: Request, code: string, milliseconds: number) => void = () => {},
): handleUnaryCall<Request, Response> {
  return async (call, callback) => {
    const start = performance.now();
    const done = (code: string) => onDone(call.request, code, performance.now() - start);
    try {
      const timing = new RequestTiming();
      const response = await handle(call.request, { ...callerOf(call), timing });
      callback(null, response, timingMetadata(timing));
      done('OK');
    } catch (thrown) {
      const { code, message } = publicError(thrown);
      if (code === 'INTERNAL') log.error({ err: thrown, path: call.getPath() }, 'defect');
      callback({ code: ERROR_CODES[code].grpc, details: message });
      done(code);
    }
  };
}

/** The same for inference, which is counted. */
export function inferenceUnary<Request, Response>(
  operation: Operation,
  reference: (request: Request) => ModelReference,
  handle: (request: Request, caller: Caller) => Promise<Response>,
  context: GrpcContext,
): handleUnaryCall<Request, Response> {
  const admit = (request: Request, caller: Caller) => {
    context.service.refuseIfFull(reference(request));
    return handle(request, caller);
  };
  return unary(admit, context, (request, code, milliseconds) =>
    observeInference(context, operation, reference(request), code, milliseconds),
  );
}

/** Counts an inference request; `code` is `OK` or an error code. */
export function observeInference(
  { service, metrics }: GrpcContext,
  operation: Operation,
  reference: ModelReference,
  code: string,
  milliseconds: number,
): void {
  const labels = service.labelsOf(reference);
  metrics.request({ protocol: 'grpc', operation, labels, code, seconds: milliseconds / 1000 });
}

/** Trailing metadata that says where the time went; none if nothing was run. */
function timingMetadata(timing: RequestTiming): Metadata | undefined {
  const value = serverTiming(timing);
  if (value === undefined) return undefined;
  const metadata = new Metadata();
  metadata.set(SERVER_TIMING, value);
  return metadata;
}

/** What all kinds of calls have. */
interface CancellableCall {
  readonly cancelled: boolean;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** Why calls are aborted. Every call ends as cancelled, also when it was answered: an error for each would cost its stack. */
const GONE = new LcqError('CANCELLED', 'the caller is gone');

/** The caller of an RPC: gone when it cancels the call, or when its deadline passes, which ends the call too. */
export function callerOf(call: CancellableCall): Caller {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort(GONE));
  if (call.cancelled) controller.abort(GONE);
  return { signal: controller.signal };
}
