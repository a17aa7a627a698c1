/** `lcq-serving/session`: runs models with `lcq` operators in this process, by onnxruntime-node's API or by our own. */
export { type ErrorCode, LcqError } from '../errors.js';
export type { KernelSet, KernelUse } from '../runtime/addon.js';
export { registerLcqBackend } from '../runtime/backend.js';
export {
  createLcqSession,
  type LcqSession,
  type LcqSessionOptions,
  listKernels,
} from '../runtime/lcq-session.js';
export type {
  ModelSession,
  Tensor,
  TensorDataType,
  TensorElements,
  TensorSpec,
} from '../runtime/session.js';
