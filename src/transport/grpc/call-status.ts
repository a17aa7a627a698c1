import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { clipMessage } from '../public-error.js';

type SentStatus = Parameters<ServerInterceptingCall['sendStatus']>[0];

/** Of grpc-js, for requests that it cannot read; it calls each of them INTERNAL. */
const UNREADABLE =
  /^(Error deserializing request|Failed to decompress message|Invalid grpc-timeout value)/;

/**
 * Every status of a call: requests that cannot be read are INVALID_ARGUMENT, what a status quotes is clipped because it
 * is sent in a header, and no message comes after it.
 *
 * grpc-js sends the statuses of such requests and of deadlines past all interceptors, so this one replaces the method
 * itself. Must be the first.
 */
export const callStatusInterceptor: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  let isEnded = false;
  call.sendStatus = (sent) => {
    isEnded = true;
    send(callersStatus(sent));
  };
  return new ServerInterceptingCall(call, {
    // The status waits for what was written before it; one more message would break the stream, and the call never end.
    sendMessage(message, next) {
      if (!isEnded) next(message);
    },
  });
};

function callersStatus(sent: SentStatus): SentStatus {
  const details = clipMessage(sent.details ?? '');
  const isUnreadable = sent.code === status.INTERNAL && UNREADABLE.test(details);
  return { ...sent, details, ...(isUnreadable ? { code: status.INVALID_ARGUMENT } : {}) };
}
