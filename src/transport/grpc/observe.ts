import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { ERROR_CODES } from '../../errors.js';
import type { ObservedRequest, RequestObserver } from '../../observability/request-observer.js';

/** Answers with the request's id, logs and traces. The first interceptor of all, so that refusals are seen too. */
export function observeInterceptor(observer: RequestObserver): ServerInterceptor {
  return ({ path }, call) => {
    let observed: ObservedRequest | undefined;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            observed = observer.start('grpc', (name) => metadata.get(name)[0]?.toString());
            proceed(metadata);
          },
          onCancel() {
            observed?.finish(path, 'CANCELLED');
            observed = undefined;
          },
        }),
      sendMetadata(metadata, next) {
        if (observed !== undefined) metadata.set('x-request-id', observed.id);
        next(metadata);
      },
      sendStatus(sent, next) {
        observed?.finish(path, codeOf(sent.code ?? status.UNKNOWN));
        observed = undefined;
        next(sent);
      },
    });
  };
}

/** Several of our codes may share a status: the first stands for it. */
function codeOf(grpcCode: number): string {
  if (grpcCode === status.OK) return 'OK';
  const codes = Object.entries(ERROR_CODES);
  return codes.find(([, { grpc }]) => grpc === grpcCode)?.[0] ?? 'INTERNAL';
}
