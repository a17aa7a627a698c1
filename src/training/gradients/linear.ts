import { LcqError } from '../../errors.js';
import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import type { ConvGeometry, GraphBuilder, Value } from '../../onnx/builder.js';
import type { Rule } from './rule.js';

/** Gemm with transB = 1, the form of a fully connected layer: x [N,K], w [M,K], bias [M]. */
export const gemm: Rule = ({ builder: b, node, inputs: [x, w, bias] }) => {
  if (intAttribute(node, 'transB', 0) !== 1 || intAttribute(node, 'transA', 0) !== 0 || !bias) {
    throw new LcqError('UNSUPPORTED', `node '${node.name}' (Gemm): only x . w^T + bias is trained`);
  }
  return {
    output: b.node('Gemm', [x, w, bias], [x.shape[0], w.shape[0]], { transB: 1 }),
    pullback: (dy) => [
      () => b.node('Gemm', [dy, w], x.shape),
      () => b.node('Gemm', [dy, x], w.shape, { transA: 1 }),
      () => b.reduce('Sum', dy, [0]),
    ],
  };
};

/** Convolution without bias (a batch normalization follows). x [N,C,H,W], w [M,C/group,KH,KW]. */
export const conv: Rule = ({ builder: b, node, inputs: [x, w, bias] }) => {
  const geometry: ConvGeometry = {
    strides: intsAttribute(node, 'strides', [1, 1]),
    pads: intsAttribute(node, 'pads', [0, 0, 0, 0]),
    dilations: intsAttribute(node, 'dilations', [1, 1]),
    group: intAttribute(node, 'group', 1),
  };
  const { strides, pads, dilations, group } = geometry;
  if (bias || group !== 1 || dilations.some((d) => d !== 1) || strides[0] !== strides[1]) {
    throw new LcqError(
      'UNSUPPORTED',
      `node '${node.name}' (Conv): bias, groups, dilations and unequal strides are not trained`,
    );
  }
  const y = b.conv(x, w, geometry);
  return {
    output: y,
    pullback: (dy) => [
      () => inputGradient(b, dy, w, x.shape, strides[0], pads),
      () => weightGradient(b, x, dy, w.shape, strides[0], pads),
    ],
  };
};

/** Stride 1: a convolution with the flipped kernel, which onnxruntime runs faster than ConvTranspose. */
function inputGradient(
  b: GraphBuilder,
  dy: Value,
  w: Value,
  shape: readonly number[],
  stride: number,
  pads: readonly number[],
): Value {
  const [, , kh, kw] = w.shape;
  if (stride === 1) {
    const flipped = b.transpose(kh * kw > 1 ? b.flip(w, [2, 3]) : w, [1, 0, 2, 3]);
    const [top, left, bottom, right] = pads;
    return b.conv(dy, flipped, {
      strides: [1, 1],
      pads: [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right],
      dilations: [1, 1],
      group: 1,
    });
  }
  const rest = (axis: number, kernel: number) =>
    shape[axis + 2] - ((dy.shape[axis + 2] - 1) * stride + kernel - pads[axis] - pads[axis + 2]);
  return b.node('ConvTranspose', [dy, w], shape, {
    strides: [stride, stride],
    pads,
    kernel_shape: [kh, kw],
    output_padding: [rest(0, kh), rest(1, kw)],
  });
}

/** The shifted views of x that the kernel's taps read, each cut to the output's size along `axes` (rows, columns). */
function taps(
  b: GraphBuilder,
  x: Value,
  kernel: readonly number[],
  out: readonly number[],
  stride: number,
  pads: readonly number[],
  axes: readonly [number, number],
): Value[] {
  const all = new Array(8).fill(0);
  axes.forEach((axis, i) => {
    all[axis] = pads[i];
    all[axis + 4] = pads[i + 2];
  });
  const padded = b.pad(x, all);
  const views: Value[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const ends = [i + (out[0] - 1) * stride + 1, j + (out[1] - 1) * stride + 1];
      const whole = kernel[0] * kernel[1] === 1 && stride === 1;
      views.push(whole ? padded : b.slice(padded, axes, [i, j], ends, [stride, stride]));
    }
  }
  return views;
}

/**
 * dw [M,C,KH,KW] = sum over samples and positions of dy times the shifted x. The formulations differ up to tenfold in
 * speed by shape; the choice follows measurements of each on ResNet shapes.
 */
function weightGradient(
  b: GraphBuilder,
  x: Value,
  dy: Value,
  shape: readonly number[],
  stride: number,
  pads: readonly number[],
): Value {
  const [m, c, kh, kw] = shape;
  const [n, , oh, ow] = dy.shape;
  const positions = oh * ow;
  const fewPositions = positions < 64 || (positions <= 196 && c >= 128);
  const columns = (nchw: boolean) =>
    nchw
      ? taps(b, x, [kh, kw], [oh, ow], stride, pads, [2, 3])
      : taps(b, b.transpose(x, [0, 2, 3, 1]), [kh, kw], [oh, ow], stride, pads, [1, 2]);
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
