import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { ERROR_CODES } from '../../errors.js';
import type { AccessControl, Scope } from '../../security/access-control.js';
import { publicError } from '../public-error.js';

const OPEN_METHODS =
  /^\/(grpc\.health\.v1\.Health\/|inference\.GRPCInferenceService\/Server(Live|Ready)$)/;
/** Methods that change what is served. */
const ADMIN_METHODS: readonly string[] = [
  '/inference.GRPCInferenceService/RepositoryModelLoad',
  '/inference.GRPCInferenceService/RepositoryModelUnload',
];

function scopeOf(path: string): Scope {
  if (OPEN_METHODS.test(path)) return 'open';
  return ADMIN_METHODS.includes(path) ? 'admin' : 'inference';
}

/** Refuses callers before their message is read. */
export function accessInterceptor(access: AccessControl): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            const { remoteAddress = '' } = call.getConnectionInfo();
            const header = (name: string) => headerOf(metadata, name);
            try {
              access.authorize(scopeOf(path), { header, address: remoteAddress });
            } catch (thrown) {
              const { code, message } = publicError(thrown);
              call.sendStatus({ code: ERROR_CODES[code].grpc, details: message });
              return;
            }
            proceed(metadata);
          },
        }),
    });
}

function headerOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return value?.toString();
}
