import { TRAINING_DOMAIN } from '../../onnx/domains.js';
import {
  clip,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  relu,
  sigmoid,
  softmax,
  softplus,
} from './activation.js';
import { batchNormalization } from './batch-normalization.js';
import { conv } from './conv.js';
import { add, cast, div, exp, mul, sqrt, sub } from './elementwise.js';
import { gemm, matmul } from './linear.js';
import { averagePool, globalAveragePool, maxPool } from './pooling.js';
import { quantize, uniformQuantize } from './quantize.js';
import { resize } from './resize.js';
import type { Rule } from './rule.js';
import { concat, flatten, pad, reduceMean, reduceSum, reshape, slice, transpose } from './shape.js';

/** All gradients of the trainer, one row an op. Ops of another domain are written `domain:Op`. */
export const GRADIENT_TABLE: Readonly<Record<string, Rule>> = {
  Add: add,
  Sub: sub,
  Mul: mul,
  Div: div,
  Sqrt: sqrt,
  Exp: exp,
  Relu: relu,
  Clip: clip,
  LeakyRelu: leakyRelu,
  Sigmoid: sigmoid,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Softmax: softmax,
  Softplus: softplus,
  Cast: cast,
  Transpose: transpose,
  Flatten: flatten,
  Reshape: reshape,
  Concat: concat,
  Resize: resize,
  Slice: slice,
  Pad: pad,
  GlobalAveragePool: globalAveragePool,
  AveragePool: averagePool,
  MaxPool: maxPool,
  ReduceMean: reduceMean,
  ReduceSum: reduceSum,
  Gemm: gemm,
  MatMul: matmul,
  Conv: conv,
  BatchNormalization: batchNormalization,
  [`${TRAINING_DOMAIN}:Quantize`]: quantize,
  [`${TRAINING_DOMAIN}:UniformQuantize`]: uniformQuantize,
};
