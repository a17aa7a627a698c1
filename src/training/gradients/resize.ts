import { LcqError } from '../../errors.js';
import { intAttribute, intsAttribute, stringAttribute } from '../../onnx/attributes.js';
import type { GraphBuilder, Value } from '../../onnx/builder.js';
import { elementsOf } from '../../onnx/elements.js';
import type { Node } from '../../onnx/graph.js';
import type { Rule, RuleContext } from './rule.js';
import { int64List } from './shape.js';

/** Resize of the rows and columns of [N,C,H,W]: nearest neighbours by whole factors, or bilinear. */
export const resize: Rule = (context) => {
  const { node, inputs } = context;
  const factors = factorsOf(context);
  const known = factors.length === 4 && factors[0] === 1 && factors[1] === 1;
  const [, , rows, columns] = factors;
  const mode = stringAttribute(node, 'mode', 'nearest');
  const rest = inputs.slice(1).map(() => null);
  if (known && mode === 'nearest' && [rows, columns].every((f) => Number.isInteger(f) && f >= 1)) {
    const { output, back } = repeat(context.builder, inputs[0], [rows, columns]);
    return { output, pullback: (dy) => [() => back(dy), ...rest] };
  }
  if (known && mode === 'linear' && intAttribute(node, 'antialias', 0) === 0) {
    const { output, back } = interpolate(context.builder, node, inputs[0], [rows, columns]);
    return { output, pullback: (dy) => [() => back(dy), ...rest] };
  }
  throw unsupported(node, 'only nearest neighbours by whole factors and bilinear are trained');
};

/** Output over input size of each axis, which are given as such or as the sizes of the output. */
function factorsOf({ node, inputs: [x], constant }: RuleContext): number[] {
  if (node.inputs[2] && constant(2).data.length > 0) {
    return Array.from(elementsOf(constant(2), 'float32'));
  }
  const factors = x.shape.map(() => 1);
  const axes = intsAttribute(
    node,
    'axes',
    x.shape.map((_, axis) => axis),
  );
  for (const [i, size] of int64List(constant(3)).entries()) {
    factors[axes[i]] = size / x.shape[axes[i]];
  }
  return factors;
}

/** Each element is repeated, its gradient is their sum. */
function repeat(b: GraphBuilder, x: Value, [rows, columns]: readonly number[]) {
  const [n, c, h, w] = x.shape;
  const attributes = {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  };
  const factors = b.floats([1, 1, rows, columns], [4]);
  return {
    output: b.node('Resize', [x, null, factors], [n, c, h * rows, w * columns], attributes),
    back: (dy: Value) => b.reduce('Sum', b.reshape(dy, [n, c, h, rows, w, columns]), [3, 5]),
  };
}

/** Y = R X C^T with an interpolation matrix for rows and one for columns; dX = R^T dY C. */
function interpolate(b: GraphBuilder, node: Node, x: Value, factors: readonly number[]) {
  const source = coordinates(node);
  const [rows, columns] = factors.map((factor, i) => {
    const size = x.shape[i + 2];
    const resized = Math.floor(size * factor);
    return b.floats(interpolation(size, resized, factor, source), [resized, size]);
  });
  const product = (left: Value, y: Value, right: Value) => b.matmul(b.matmul(left, y), right);
  return {
    output: product(rows, x, b.transpose(columns, [1, 0])),
    back: (dy: Value) => product(b.transpose(rows, [1, 0]), dy, columns),
  };
}

/** Where output `i` of `resized` lies among `size` inputs. */
type Coordinates = (i: number, size: number, resized: number, factor: number) => number;

const COORDINATES: Readonly<Record<string, Coordinates>> = {
  half_pixel: (i, _, __, factor) => (i + 0.5) / factor - 0.5,
  pytorch_half_pixel: (i, _, resized, factor) => (resized > 1 ? (i + 0.5) / factor - 0.5 : 0),
  align_corners: (i, size, resized) => (resized > 1 ? (i * (size - 1)) / (resized - 1) : 0),
  asymmetric: (i, _, __, factor) => i / factor,
};

function coordinates(node: Node): Coordinates {
  const mode = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  const known = COORDINATES[mode];
  if (known) return known;
  throw unsupported(node, `coordinate transformation '${mode}' is not trained`);
}

/** The matrix [resized, size] of linear interpolation along one axis. */
function interpolation(size: number, resized: number, factor: number, source: Coordinates) {
  const matrix = new Float32Array(resized * size);
  for (let i = 0; i < resized; i++) {
    const at = Math.min(size - 1, Math.max(0, source(i, size, resized, factor)));
    const low = Math.floor(at);
    const high = Math.min(size - 1, low + 1);
    matrix[i * size + low] += 1 - (at - low);
    matrix[i * size + high] += at - low;
  }
  return matrix;
}

function unsupported(node: Node, why: string): LcqError {
  return new LcqError('UNSUPPORTED', `node '${node.name}' (Resize): ${why}`);
}
