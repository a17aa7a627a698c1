import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type MissingExtension, refuseExtension, refuseRegion } from '../missing-extension.js';
import { type GrpcContext, unary } from './unary.js';

/** The methods of extensions that this server does not have: clients are told so, and that no memory is shared. */
export function missingExtensionMethods(context: GrpcContext): UntypedServiceImplementation {
  const refuse = (extension: MissingExtension) => unary(() => refuseExtension(extension), context);
  const status = unary<{ name: string }, object>(({ name }) => {
    refuseRegion(name);
    return { regions: {} };
  }, context);
  return {
    LogSettings: refuse('logging'),
    TraceSetting: refuse('trace'),
    SystemSharedMemoryStatus: status,
    SystemSharedMemoryRegister: refuse('shared memory'),
    SystemSharedMemoryUnregister: refuse('shared memory'),
    CudaSharedMemoryStatus: status,
    CudaSharedMemoryRegister: refuse('shared memory'),
    CudaSharedMemoryUnregister: refuse('shared memory'),
  };
}
