import { LcqError } from '../../errors.js';
import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import type { Value } from '../../onnx/builder.js';
import { elementCount } from '../../onnx/elements.js';
import type { TensorData } from '../../onnx/graph.js';
import type { Rule } from './rule.js';

/** The numbers of a constant int64 tensor, such as the axes of a Slice. */
export function int64List(tensor: TensorData): number[] {
  const { buffer, byteOffset, byteLength } = Uint8Array.from(tensor.data);
  return Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
}

export const transpose: Rule = ({ builder: b, node, inputs: [x] }) => {
  const perm = intsAttribute(node, 'perm');
  const inverse = perm.map((_, i) => perm.indexOf(i));
  return { output: b.transpose(x, perm), pullback: (dy) => [() => b.transpose(dy, inverse)] };
};

/** [N, ...] to [N, product of the rest]. */
export const flatten: Rule = ({ builder: b, node, inputs: [x] }) => {
  const axis = intAttribute(node, 'axis', 1);
  const shape = [elementCount(x.shape.slice(0, axis)), elementCount(x.shape.slice(axis))];
  return { output: b.reshape(x, shape), pullback: (dy) => [() => b.reshape(dy, x.shape)] };
};

/** Slice with positive steps: the gradient goes back to the elements read, zeros elsewhere. */
export const slice: Rule = (context) => {
  const { builder: b, node, inputs } = context;
  const x = inputs[0];
  const starts = int64List(context.constant(1));
  const ends = int64List(context.constant(2));
  const axes = inputs.length > 3 ? int64List(context.constant(3)) : starts.map((_, i) => i);
  const steps = inputs.length > 4 ? int64List(context.constant(4)) : starts.map(() => 1);
  if (steps.some((s) => s < 1) || starts.some((s) => s < 0)) {
    throw new LcqError(
      'UNSUPPORTED',
      `node '${node.name}' (Slice): only forward slices are trained`,
    );
  }
  // "To the end" is often written as the largest int64, which no number of JavaScript holds.
  const bounded = ends.map((end, i) => {
    const size = x.shape[axes[i]];
    return end < 0 ? end + size : Math.min(end, size);
  });
  const y = b.slice(x, axes, starts, bounded, steps);
  return {
    output: y,
    pullback: (dy) => [
      () => {
        let dx = dy;
        axes.forEach((axis, i) => {
          const before = [...dx.shape.slice(0, axis + 1)];
          const count = dx.shape[axis];
          // Spread the elements `step` apart by padding an axis of size one behind them.
          if (steps[i] > 1) {
            dx = b.reshape(dx, [...before, 1, ...dx.shape.slice(axis + 1)]);
            const pads = new Array(2 * dx.shape.length).fill(0);
            pads[dx.shape.length + axis + 1] = steps[i] - 1;
            dx = b.pad(dx, pads);
            const shape = [...dx.shape];
            shape.splice(axis, 2, count * steps[i]);
            dx = b.reshape(dx, shape);
          }
          const spread = dx.shape[axis];
          const room = x.shape[axis] - starts[i];
          if (spread > room) dx = b.slice(dx, [axis], [0], [room]);
          const pads = new Array(2 * dx.shape.length).fill(0);
          pads[axis] = starts[i];
          pads[dx.shape.length + axis] = Math.max(0, room - spread);
          dx = b.pad(dx, pads);
        });
        return dx;
      },
      ...inputs.slice(1).map(() => null),
    ],
  };
};

/** Zero padding; its gradient is the part that was not padded. */
export const pad: Rule = (context) => {
  const { builder: b, inputs } = context;
  const x = inputs[0];
  const pads = int64List(context.constant(1));
  const axes = x.shape.map((_, i) => i);
  return {
    output: b.pad(x, pads),
    pullback: (dy) => [
      () =>
        b.slice(
          dy,
          axes,
          pads.slice(0, axes.length),
          axes.map((i) => pads[i] + x.shape[i]),
        ),
      ...inputs.slice(1).map(() => null),
    ],
  };
};

/** Sums or means over constant axes: the gradient goes to all elements alike. */
const reduce =
  (kind: 'Sum' | 'Mean'): Rule =>
  (context) => {
    const { builder: b, node, inputs } = context;
    const x = inputs[0];
    const axes = int64List(context.constant(1));
    const keep = intAttribute(node, 'keepdims', 1) === 1;
    const count = axes.reduce((product, axis) => product * x.shape[axis], 1);
    const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
    const share = (dy: Value) => (kind === 'Mean' ? b.mul(dy, b.scalar(1 / count)) : dy);
    return {
      output: b.reduce(kind, x, axes, keep),
      pullback: (dy) => [
        () => b.expand(b.reshape(share(dy), kept), x.shape),
        ...inputs.slice(1).map(() => null),
      ],
    };
  };

export const reduceMean = reduce('Mean');
export const reduceSum = reduce('Sum');

/** Reshape to a constant shape: 0 keeps an axis, -1 takes what is left. */
export const reshape: Rule = (context) => {
  const { builder: b, inputs } = context;
  const [x] = inputs;
  const wanted = int64List(context.constant(1)).map((d, i) => (d === 0 ? x.shape[i] : d));
  const known = elementCount(wanted.filter((d) => d !== -1));
  const shape = wanted.map((d) => (d === -1 ? elementCount(x.shape) / known : d));
  return {
    output: b.reshape(x, shape),
    pullback: (dy) => [() => b.reshape(dy, x.shape), null],
  };
};

export const concat: Rule = ({ builder: b, node, inputs }) => {
  const rank = inputs[0].shape.length;
  const axis = (intAttribute(node, 'axis') + rank) % rank;
  const ends = inputs.map((_, i) =>
    inputs.slice(0, i + 1).reduce((sum, x) => sum + x.shape[axis], 0),
  );
  return {
    output: b.concat(inputs, axis),
    pullback: (dy) =>
      ends.map((end, i) => () => b.slice(dy, [axis], [end - inputs[i].shape[axis]], [end])),
  };
};
