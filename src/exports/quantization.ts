/** `lcq-serving/quantization`: reads ONNX classifiers, quantizes them with LCQ, and writes models that a server loads. */
export { type ErrorCode, LcqError } from '../errors.js';
export type { Graph, Model } from '../onnx/graph.js';
export { canonicalGraph } from '../onnx/passes/canonical.js';
export { decodeModel, encodeModel } from '../onnx/serde.js';
export { exportModel } from '../quantization/export.js';
export { rangedValues } from '../quantization/layer-ending.js';
export type { Activations } from '../quantization/post-training/network-runner.js';
export { observeValues } from '../quantization/post-training/observe.js';
export {
  fitNetwork,
  type PostTrainingSettings,
  reconstructNetwork,
} from '../quantization/post-training/quantize-network.js';
export { publishFiles } from '../quantization/publish.js';
export { type ModelSummary, summarize } from '../quantization/summary.js';
