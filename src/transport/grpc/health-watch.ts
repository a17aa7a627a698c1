import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';

const WATCH = '/grpc.health.v1.Health/Watch';
/** The one name that stands for all others. */
const UNKNOWN_SERVICE = '(unknown)';

/**
 * Watches of services that are not there count as watches of one: grpc-health-check keeps every name that was ever
 * watched, and callers need no key for it.
 */
export const healthWatchInterceptor =
  (services: readonly string[]): ServerInterceptor =>
  ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage(message, proceed) {
            const isUnknown = path === WATCH && !services.includes(message.service);
            proceed(isUnknown ? { service: UNKNOWN_SERVICE } : message);
          },
        }),
    });
