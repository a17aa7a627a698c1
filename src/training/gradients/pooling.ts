import { LcqError } from '../../errors.js';
import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import { type GraphBuilder, type Value, windowPositions } from '../../onnx/builder.js';
import type { Node } from '../../onnx/graph.js';
import { windowOf } from './conv.js';
import type { Rule } from './rule.js';

/** [N,C,H,W] to [N,C,1,1]. */
export const globalAveragePool: Rule = ({ builder: b, inputs: [x] }) => {
  const [n, c, h, w] = x.shape;
  return {
    output: b.node('GlobalAveragePool', [x], [n, c, 1, 1]),
    pullback: (dy) => [() => b.expand(b.mul(dy, b.scalar(1 / (h * w))), x.shape)],
  };
};

/** Average pooling; its gradient spreads each dy over its window, as a depthwise convolution of ones goes back. */
export const averagePool: Rule = ({ builder: b, node, inputs: [x] }) => {
  const window = poolingWindow(node);
  const { kernel, strides, pads } = window;
  const counted = intAttribute(node, 'count_include_pad', 0);
  if (counted !== 1 && pads.some((p) => p !== 0)) {
    throw new LcqError(
      'UNSUPPORTED',
      `node '${node.name}' (AveragePool): padding that is not counted is not trained`,
    );
  }
  const [n, c] = x.shape;
  const shape = [n, c, ...windowPositions(x.shape, kernel, window)];
  const attributes = { kernel_shape: kernel, strides, pads, count_include_pad: counted };
  return {
    output: b.node('AveragePool', [x], shape, attributes),
    pullback: (dy) => [
      () => {
        const size = kernel[0] * kernel[1];
        const ones = b.floats(new Float32Array(c * size).fill(1 / size), [c, 1, ...kernel]);
        return spread(b, dy, ones, x.shape, window);
      },
    ],
  };
};

/** Max pooling; the gradient goes to the element that was the greatest, as onnxruntime's indices tell. */
export const maxPool: Rule = ({ builder: b, node, inputs: [x] }) => {
  const window = poolingWindow(node);
  const { kernel, strides, pads, dilations } = window;
  const shape = [...x.shape.slice(0, 2), ...windowPositions(x.shape, kernel, window)];
  const attributes = { kernel_shape: kernel, strides, pads, dilations };
  const [y, indices] = b.nodeN('MaxPool', [x], [{ shape }, { shape, dtype: 'int64' }], attributes);
  return {
    output: y,
    pullback: (dy) => [
      () => {
        const total = x.shape.reduce((a, d) => a * d, 1);
        const zeros = b.expand(b.floats([0], [1]), [total]);
        const flat = [indices, dy].map((v) => b.reshape(v, [v.shape.reduce((a, d) => a * d, 1)]));
        const scatter = { axis: 0, reduction: 'add' };
        return b.reshape(b.node('ScatterElements', [zeros, ...flat], [total], scatter), x.shape);
      },
    ],
  };
};

function poolingWindow(node: Node) {
  if (intAttribute(node, 'ceil_mode', 0) !== 0) {
    throw new LcqError(
      'UNSUPPORTED',
      `node '${node.name}' (${node.opType}): rounding sizes up is not trained`,
    );
  }
  return { ...windowOf(node), kernel: intsAttribute(node, 'kernel_shape') };
}

function spread(
  b: GraphBuilder,
  dy: Value,
  kernel: Value,
  shape: readonly number[],
  { strides, pads }: ReturnType<typeof poolingWindow>,
): Value {
  const sizes = kernel.shape.slice(2);
  const rest = sizes.map(
    (size, axis) =>
      shape[axis + 2] -
      ((dy.shape[axis + 2] - 1) * strides[axis] + size - pads[axis] - pads[axis + 2]),
  );
  return b.node('ConvTranspose', [dy, kernel], shape, {
    strides,
    pads,
    kernel_shape: sizes,
    group: shape[1],
    output_padding: rest,
  });
}
