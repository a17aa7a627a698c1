import { LcqError } from '../../errors.js';
import { intAttribute } from '../../onnx/attributes.js';
import type { GraphBuilder, Value } from '../../onnx/builder.js';
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

/** Matrix product over the last two axes; leading axes broadcast. */
export const matmul: Rule = ({ builder: b, node, inputs: [x, y] }) => {
  if (x.shape.length < 2 || y.shape.length < 2) {
    throw new LcqError('UNSUPPORTED', `node '${node.name}' (MatMul): vectors are not trained`);
  }
  return {
    output: b.matmul(x, y),
    pullback: (dz) => [
      () => b.sumTo(b.matmul(dz, swapped(b, y)), x.shape),
      () => b.sumTo(b.matmul(swapped(b, x), dz), y.shape),
    ],
  };
};

/** The last two axes exchanged. */
function swapped(b: GraphBuilder, x: Value): Value {
  const perm = [...x.shape.keys()];
  return b.transpose(x, [...perm.slice(0, -2), perm.length - 1, perm.length - 2]);
}
