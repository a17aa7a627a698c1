import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import type { ConvGeometry, GraphBuilder, Value, WindowGeometry } from '../../onnx/builder.js';
import type { Node } from '../../onnx/graph.js';
import type { Rule } from './rule.js';
import { taps } from './taps.js';

/** Convolution. x [N,C,H,W], w [M,C/group,KH,KW], optional bias [M]. */
export const conv: Rule = ({ builder: b, node, inputs: [x, w, bias] }) => {
  const geometry: ConvGeometry = { ...windowOf(node), group: intAttribute(node, 'group', 1) };
  return {
    output: b.conv(x, w, geometry, bias),
    pullback: (dy) => [
      () => inputGradient(b, dy, w, x.shape, geometry),
      () => weightGradient(b, x, dy, w.shape, geometry),
      () => b.reduce('Sum', dy, [0, 2, 3]),
    ],
  };
};

/** The geometry of a convolution or pooling, with the defaults of ONNX. */
export function windowOf(node: Node): WindowGeometry {
  return {
    strides: intsAttribute(node, 'strides', [1, 1]),
    pads: intsAttribute(node, 'pads', [0, 0, 0, 0]),
    dilations: intsAttribute(node, 'dilations', [1, 1]),
  };
}

/** Stride 1: a convolution with the flipped kernel, which onnxruntime runs faster than ConvTranspose. */
function inputGradient(
  b: GraphBuilder,
  dy: Value,
  w: Value,
  shape: readonly number[],
  geometry: ConvGeometry,
): Value {
  const { strides, pads, dilations, group } = geometry;
  const kernel = w.shape.slice(2);
  const reach = kernel.map((size, axis) => dilations[axis] * (size - 1));
  if (strides.every((s) => s === 1)) {
    const outer = [...pads.keys()].map((i) => reach[i % 2] - pads[i]);
    const flipped = swapChannels(b, kernel.some((k) => k > 1) ? b.flip(w, [2, 3]) : w, group);
    return b.conv(dy, flipped, { strides, pads: outer, dilations, group });
  }
  const rest = kernel.map(
    (_, axis) =>
      shape[axis + 2] -
      ((dy.shape[axis + 2] - 1) * strides[axis] + reach[axis] + 1 - pads[axis] - pads[axis + 2]),
  );
  return b.node('ConvTranspose', [dy, w], shape, {
    strides,
    pads,
    dilations,
    group,
    kernel_shape: kernel,
    output_padding: rest,
  });
}

/** [M, C/g, KH, KW] to [C, M/g, KH, KW], within each group. */
function swapChannels(b: GraphBuilder, w: Value, group: number): Value {
  const [m, c, kh, kw] = w.shape;
  if (group === 1) return b.transpose(w, [1, 0, 2, 3]);
  const grouped = b.reshape(w, [group, m / group, c, kh, kw]);
  return b.reshape(b.transpose(grouped, [0, 2, 1, 3, 4]), [group * c, m / group, kh, kw]);
}

function weightGradient(
  b: GraphBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  geometry: ConvGeometry,
): Value {
  const { group } = geometry;
  if (group === 1) return denseWeightGradient(b, x, dy, shape, geometry);
  const [m, c, kh, kw] = shape;
  if (c === 1 && m === group) return depthwiseWeightGradient(b, x, dy, shape, geometry);
  const part = (value: Value, size: number, g: number) =>
    b.slice(value, [1], [g * size], [(g + 1) * size]);
  const parts = Array.from({ length: group }, (_, g) =>
    denseWeightGradient(b, part(x, c, g), part(dy, m / group, g), [m / group, c, kh, kw], geometry),
  );
  return b.concat(parts, 0);
}

/** One convolution with every channel of every sample as a group of its own: x with dy as its kernel. */
function depthwiseWeightGradient(
  b: GraphBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  { strides, pads, dilations }: WindowGeometry,
): Value {
  const [c, , kh, kw] = shape;
  const [n, , h, w] = x.shape;
  const [, , oh, ow] = dy.shape;
  const sums = b.conv(b.reshape(x, [1, n * c, h, w]), b.reshape(dy, [n * c, 1, oh, ow]), {
    strides: dilations,
    pads,
    dilations: strides,
    group: n * c,
  });
  const used = b.slice(sums, [2, 3], [0, 0], [kh, kw]);
  return b.reshape(b.reduce('Sum', b.reshape(used, [n, c, kh, kw]), [0]), shape);
}

/**
 * dw [M,C,KH,KW] = sum over samples and positions of dy times the shifted x. The formulations differ up to tenfold in
 * speed by shape; the choice follows measurements of each on ResNet shapes.
 */
function denseWeightGradient(
  b: GraphBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  window: WindowGeometry,
): Value {
  const [m, c, kh, kw] = shape;
  const [n, , oh, ow] = dy.shape;
  const positions = oh * ow;
  const fewPositions = positions < 64 || (positions <= 196 && c >= 128);
  const columns = (nchw: boolean) =>
    nchw
      ? taps(b, x, [kh, kw], [oh, ow], window, [2, 3])
      : taps(b, b.transpose(x, [0, 2, 3, 1]), [kh, kw], [oh, ow], window, [1, 2]);
  // [M, taps * C] to the layout of the weights.
  const arrange = (dw: Value) =>
    b.reshape(b.transpose(b.reshape(dw, [m, kh * kw, c]), [0, 2, 1]), shape);

  if (fewPositions && kh * kw > 1) {
    const cols = b.reshape(b.concat(columns(false), 3), [n * positions, kh * kw * c]);
    const rows = b.reshape(b.transpose(dy, [1, 0, 2, 3]), [m, n * positions]);
    return arrange(b.matmul(rows, cols));
  }
  const rows = b.reshape(dy, [n, m, positions]);
  if (c <= 4 && kh * kw > 1) {
    const cols = b.reshape(b.concat(columns(true), 1), [n, kh * kw * c, positions]);
    return arrange(b.reduce('Sum', b.matmulTransposed(rows, cols), [0]));
  }
  const perTap = columns(true).map((tap) => {
    const product = b.matmulTransposed(rows, b.reshape(tap, [n, c, positions]));
    return b.reshape(b.reduce('Sum', product, [0]), [m, c, 1]);
  });
  return b.reshape(perTap.length > 1 ? b.concat(perTap, 2) : perTap[0], shape);
}
