import type { Attribute } from '../../src/onnx/graph.js';

/** One op under test: real inputs with their shapes (all differentiated) and int64 constants behind them. */
export interface GradientCase {
  readonly op: string;
  readonly name?: string;
  readonly shapes: readonly (readonly number[])[];
  readonly lists?: readonly (readonly number[])[];
  /** float32 constants behind those. */
  readonly reals?: readonly (readonly number[])[];
  readonly attributes?: Record<string, Attribute>;
  /** Inputs whose gradients the rule gives; all by default. */
  readonly wanted?: readonly number[];
  readonly positive?: boolean;
}

const ints = (...values: number[]): Attribute => ({ ints: values });
const conv = (
  stride: number,
  pads: number[],
  { group = 1, dilation = 1 } = {},
): Record<string, Attribute> => ({
  strides: ints(stride, stride),
  pads: { ints: pads },
  dilations: ints(dilation, dilation),
  group: { int: group },
});
const pooling = (stride: number, pads: number[]): Record<string, Attribute> => ({
  kernel_shape: ints(3, 2),
  strides: ints(stride, stride),
  pads: { ints: pads },
});

export const gradientCases: readonly GradientCase[] = [
  {
    op: 'Add',
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
  },
  {
    op: 'Sub',
    shapes: [
      [2, 3],
      [2, 3],
    ],
  },
  { op: 'Sub', name: 'Sub, broadcast', shapes: [[2, 3, 2], [1]] },
  { op: 'Mul', shapes: [[2, 3, 4], [4]] },
  {
    op: 'Div',
    shapes: [
      [3, 4],
      [3, 1],
    ],
    positive: true,
  },
  { op: 'Sqrt', shapes: [[3, 4]], positive: true },
  { op: 'Exp', shapes: [[3, 4]] },
  { op: 'Softplus', shapes: [[3, 4]] },
  { op: 'ReduceSum', shapes: [[3, 2, 4]], lists: [[0, 2]], attributes: { keepdims: { int: 0 } } },
  { op: 'Relu', shapes: [[4, 5]] },
  { op: 'Transpose', shapes: [[2, 3, 4, 2]], attributes: { perm: ints(0, 3, 1, 2) } },
  { op: 'Flatten', shapes: [[2, 3, 2, 1]], attributes: { axis: { int: 1 } } },
  {
    op: 'Slice',
    shapes: [[2, 2, 6, 6]],
    lists: [
      [0, 0],
      [6, 6],
      [2, 3],
      [2, 2],
    ],
  },
  {
    op: 'Slice',
    name: 'Slice, odd size and a start',
    shapes: [[1, 2, 7, 5]],
    lists: [
      [1, 0],
      [6, 5],
      [2, 3],
      [2, 3],
    ],
  },
  {
    op: 'Slice',
    name: 'Slice, to the end and counted from it',
    shapes: [[1, 2, 7, 5]],
    lists: [
      [1, 0],
      [Number.MAX_SAFE_INTEGER, -1],
      [2, 3],
      [2, 1],
    ],
  },
  { op: 'Pad', shapes: [[1, 3, 2, 2]], lists: [[0, 2, 0, 1, 0, 1, 0, 0]] },
  { op: 'GlobalAveragePool', shapes: [[2, 3, 4, 5]] },
  {
    op: 'ReduceMean',
    shapes: [[3, 2, 2, 2]],
    lists: [[0, 1, 2, 3]],
    attributes: { keepdims: { int: 1 } },
  },
  {
    op: 'ReduceMean',
    name: 'ReduceMean, axes dropped',
    shapes: [[3, 2, 4]],
    lists: [[1]],
    attributes: { keepdims: { int: 0 } },
  },
  { op: 'Gemm', shapes: [[3, 4], [5, 4], [5]], attributes: { transB: { int: 1 } } },
  {
    op: 'Conv',
    name: 'Conv 3x3, few input channels',
    shapes: [
      [2, 3, 9, 9],
      [4, 3, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3, one product a tap',
    shapes: [
      [2, 6, 9, 9],
      [4, 6, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3, few positions',
    shapes: [
      [2, 6, 6, 6],
      [4, 6, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3 stride 2',
    shapes: [
      [2, 6, 18, 18],
      [4, 6, 3, 3],
    ],
    attributes: conv(2, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3 stride 2, odd size, few positions',
    shapes: [
      [2, 5, 7, 7],
      [3, 5, 3, 3],
    ],
    attributes: conv(2, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 5x5, uneven pads',
    shapes: [
      [1, 5, 8, 9],
      [3, 5, 5, 5],
    ],
    attributes: conv(1, [2, 1, 0, 2]),
  },
  {
    op: 'Conv',
    name: 'Conv 1x1',
    shapes: [
      [2, 5, 4, 4],
      [3, 5, 1, 1],
    ],
    attributes: conv(1, [0, 0, 0, 0]),
  },
  {
    op: 'Conv',
    name: 'Conv 1x1 stride 2',
    shapes: [
      [2, 5, 6, 6],
      [3, 5, 1, 1],
    ],
    attributes: conv(2, [0, 0, 0, 0]),
  },
  {
    op: 'Conv',
    name: 'Conv with a bias',
    shapes: [[2, 3, 5, 5], [4, 3, 3, 3], [4]],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv with a bias, stride 2 and asymmetric pads',
    shapes: [[2, 3, 8, 8], [4, 3, 3, 3], [4]],
    attributes: conv(2, [0, 0, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv in two groups',
    shapes: [
      [2, 6, 5, 5],
      [4, 3, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1], { group: 2 }),
  },
  {
    op: 'Conv',
    name: 'Conv in two groups, stride 2',
    shapes: [
      [2, 6, 6, 6],
      [4, 3, 3, 3],
    ],
    attributes: conv(2, [1, 1, 1, 1], { group: 2 }),
  },
  {
    op: 'Conv',
    name: 'depthwise Conv',
    shapes: [[2, 5, 6, 7], [5, 1, 3, 3], [5]],
    attributes: conv(1, [1, 1, 1, 1], { group: 5 }),
  },
  {
    op: 'Conv',
    name: 'depthwise Conv, stride 2 and asymmetric pads',
    shapes: [[2, 5, 8, 8], [5, 1, 3, 3], [5]],
    attributes: conv(2, [0, 0, 1, 1], { group: 5 }),
  },
  {
    op: 'Conv',
    name: 'dilated Conv',
    shapes: [
      [1, 5, 9, 9],
      [3, 5, 3, 3],
    ],
    attributes: conv(1, [2, 2, 2, 2], { dilation: 2 }),
  },
  {
    op: 'Conv',
    name: 'dilated depthwise Conv, stride 2',
    shapes: [
      [1, 4, 9, 9],
      [4, 1, 3, 3],
    ],
    attributes: conv(2, [2, 2, 2, 2], { group: 4, dilation: 2 }),
  },
  { op: 'Clip', shapes: [[4, 5]], reals: [[0], [1.2]] },
  { op: 'Clip', name: 'Clip, no lower bound', shapes: [[4, 5]], reals: [[], [0.5]] },
  { op: 'LeakyRelu', shapes: [[4, 5]], attributes: { alpha: { float: 0.1 } } },
  { op: 'Sigmoid', shapes: [[4, 5]] },
  { op: 'HardSigmoid', shapes: [[4, 5]], attributes: { alpha: { float: 0.4 } } },
  { op: 'HardSwish', shapes: [[4, 5]] },
  { op: 'Softmax', shapes: [[3, 4, 2]], attributes: { axis: { int: 1 } } },
  {
    op: 'Concat',
    shapes: [
      [2, 3, 2],
      [2, 1, 2],
      [2, 2, 2],
    ],
    attributes: { axis: { int: -2 } },
  },
  { op: 'Reshape', shapes: [[2, 3, 4]], lists: [[0, -1, 2]] },
  {
    op: 'MatMul',
    shapes: [
      [3, 4],
      [4, 5],
    ],
  },
  {
    op: 'MatMul',
    name: 'MatMul, broadcast',
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
  },
  { op: 'MaxPool', shapes: [[2, 3, 6, 5]], attributes: pooling(2, [1, 1, 1, 0]) },
  {
    op: 'MaxPool',
    name: 'MaxPool, overlapping',
    shapes: [[2, 3, 6, 5]],
    attributes: pooling(1, [0, 0, 0, 0]),
  },
  { op: 'AveragePool', shapes: [[2, 3, 7, 6]], attributes: pooling(2, [0, 0, 0, 0]) },
  {
    op: 'AveragePool',
    name: 'AveragePool, counted pads',
    shapes: [[2, 3, 6, 5]],
    attributes: { ...pooling(1, [1, 1, 1, 0]), count_include_pad: { int: 1 } },
  },
  {
    op: 'Resize',
    shapes: [[2, 3, 3, 2]],
    reals: [[], [1, 1, 2, 3]],
    attributes: { mode: { string: 'nearest' } },
  },
  {
    op: 'Resize',
    name: 'Resize, bilinear',
    shapes: [[2, 3, 3, 2]],
    reals: [[], [1, 1, 2, 3]],
    attributes: {
      mode: { string: 'linear' },
      coordinate_transformation_mode: { string: 'align_corners' },
    },
  },
  {
    op: 'Resize',
    name: 'Resize, bilinear to a smaller size',
    shapes: [[2, 3, 8, 6]],
    reals: [[], [1, 1, 0.5, 0.5]],
    attributes: {
      mode: { string: 'linear' },
      coordinate_transformation_mode: { string: 'pytorch_half_pixel' },
    },
  },
  {
    op: 'BatchNormalization',
    shapes: [[3, 2, 4, 4], [2], [2], [2], [2]],
    attributes: { epsilon: { float: 1e-3 } },
    wanted: [0, 1, 2],
    positive: true,
  },
];
