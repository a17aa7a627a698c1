import { TRAINING_DOMAIN } from '../../onnx/domains.js';
import { batchNormalization } from './batch-normalization.js';
import { add, cast, div, mul, relu, sqrt, sub } from './elementwise.js';
import { conv, gemm } from './linear.js';
import { quantize, uniformQuantize } from './quantize.js';
import type { Rule } from './rule.js';
import { flatten, globalAveragePool, pad, reduceMean, slice, transpose } from './shape.js';

/** All gradients of the trainer, one row an op. Ops of another domain are written `domain:Op`. */
export const GRADIENT_TABLE: Readonly<Record<string, Rule>> = {
  Add: add,
  Sub: sub,
  Mul: mul,
  Div: div,
  Sqrt: sqrt,
  Relu: relu,
  Cast: cast,
  Transpose: transpose,
  Flatten: flatten,
  Slice: slice,
  Pad: pad,
  GlobalAveragePool: globalAveragePool,
  ReduceMean: reduceMean,
  Gemm: gemm,
  Conv: conv,
  BatchNormalization: batchNormalization,
  [`${TRAINING_DOMAIN}:Quantize`]: quantize,
  [`${TRAINING_DOMAIN}:UniformQuantize`]: uniformQuantize,
};
