import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { clipMessage } from '../public-error.js';

type SentStatus = Parameters<ServerInterceptingCall['sendStatus']>[0];

/** Of grpc-js, for requests that it cannot read; it calls each of them INTERNAL. */
const UNREADABLE =
  /^(Error deserializing request|Failed to decompress message|Invalid grpc-timeout value)/;

/**
 * Answers requests that cannot be read with INVALID_ARGUMENT, and clips what any status quotes: it is sent in a header.
 *
 * grpc-js sends these statuses past all interceptors, so this one replaces the method itself. Must be the first.
 */
export const callerFaultInterceptor: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (sent) => send(callersStatus(sent));
  return new ServerInterceptingCall(call);
};

function callersStatus(sent: SentStatus): SentStatus {
  const details = clipMessage(sent.details ?? '');
  const isUnreadable = sent.code === status.INTERNAL && UNREADABLE.test(details);
  return { ...sent, details, ...(isUnreadable ? { code: status.INVALID_ARGUMENT } : {}) };
}
