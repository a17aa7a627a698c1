import { floatAttribute, intAttribute } from '../../onnx/attributes.js';
import type { GraphBuilder, Value } from '../../onnx/builder.js';
import { elementCount } from '../../onnx/elements.js';
import type { Rule } from './rule.js';

/**
 * The LCQ quantizer (see src/lcq) as ONNX nodes whose cost does not depend on the number of bits.
 *
 * Inputs x (any shape), alpha [1], theta [K]; attributes bits, signed (0 or 1), cap (the largest integer level), cells
 * (R), chain (0: dQ/dx = 1 inside the clip; 1: the chain rule through the compander) and share (n: the gradients of
 * alpha and theta are estimated from the first 1/n of the elements; adding up the cells does not run in parallel).
 *
 * v = |x| / alpha is cut into R equal cells. For each cell a small table, computed in the graph from alpha and theta,
 * holds the level and the derivatives, so that the work on each element is one look-up forward and one backward. The
 * gradients of alpha and theta need only the sum of dy in each cell: one ScatterElements, then products with tables.
 * Thresholds are thereby multiples of alpha / R; the exporter writes those, so training and deployment agree.
 */
export const quantize: Rule = ({ builder: b, node, inputs: [x, alpha, theta] }) => {
  const bits = intAttribute(node, 'bits');
  const signed = intAttribute(node, 'signed') === 1;
  const cells = intAttribute(node, 'cells');
  const chain = intAttribute(node, 'chain', 0) === 1;
  const share = intAttribute(node, 'share', 1);
  const cap = floatAttribute(node, 'cap');
  const steps = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const tables = buildTables(b, theta, { steps, cells, cap, signed });
  const rows = cells + 1;
  const width = signed ? 2 * rows : rows;
  const count = elementCount(x.shape);

  // A table over the positive cells, extended to the negative ones (mirrored; odd functions change their sign).
  const mirror = (table: Value, odd: boolean): Value => {
    if (!signed) return b.reshape(table, [width]);
    const mirrored = b.flip(table, [0]);
    return b.reshape(b.concat([odd ? b.neg(mirrored) : mirrored, table], 0), [width]);
  };
  const lookUp = (table: Value): Value =>
    b.reshape(b.node('GatherElements', [table, index], [count], { axis: 0 }), x.shape);

  const scaled = b.mul(x, b.div(b.scalar(cells), alpha));
  const position = signed
    ? b.clip(b.add(scaled, b.scalar(rows)), 0.5, 2 * cells + 1)
    : b.clip(scaled, 0, cells);
  const index = b.reshape(b.cast(position, 'int32'), [count]);

  const pullback = (dy: Value) => {
    const flat = b.reshape(dy, [count]);
    const slope = chain ? b.mul(tables.chainSlope(), tables.inside) : tables.inside;
    let sums: Value | undefined;
    const sumsByCell = (): Value => {
      if (sums) return sums;
      const zeros = b.floats(new Float32Array(width), [width]);
      const part = [index, flat].map((v) =>
        share > 1 ? b.slice(v, [0], [0], [Math.floor(count / share)]) : v,
      );
      const attributes = { axis: 0, reduction: 'add' };
      const all = b.node('ScatterElements', [zeros, ...part], [width], attributes);
      const folded = signed
        ? b.sub(b.slice(all, [0], [rows], [width]), b.flip(b.slice(all, [0], [0], [rows]), [0]))
        : all;
      const total = share > 1 ? b.mul(folded, b.scalar(share)) : folded;
      sums = b.reshape(total, [1, rows]);
      return sums;
    };
    const dAlpha = () => {
      const table = b.sub(tables.level, b.mul(tables.centre, slope));
      return b.reshape(b.matmul(sumsByCell(), table), [1]);
    };
    const dTheta = () => {
      const byProbability = b.mul(tables.levelByProbability(), tables.inside);
      const dp = b.mul(b.reshape(b.matmul(sumsByCell(), byProbability), theta.shape), alpha);
      const p = tables.probability;
      return b.mul(p, b.sub(dp, b.reduce('Sum', b.mul(p, dp), [0], true)));
    };
    return [() => b.mul(dy, lookUp(mirror(slope, false))), dAlpha, dTheta];
  };
  return { output: lookUp(mirror(b.mul(tables.level, alpha), true)), pullback };
};

/** Tables over the cells of the positive half, each [R + 1, ...]; the last cell is the saturated one. */
interface Tables {
  /** softmax(theta) [K] */
  readonly probability: Value;
  /** v at the centre of the cell */
  readonly centre: Value;
  /** 1 where gradients pass: not saturated and, for activations, not at or below zero */
  readonly inside: Value;
  /** the snapped level, in units of alpha */
  readonly level: Value;
  /** f'(v) / f'(level): the chain rule through the compander */
  readonly chainSlope: () => Value;
  /** d level / d probability [R + 1, K], straight through the rounding */
  readonly levelByProbability: () => Value;
}

function buildTables(
  b: GraphBuilder,
  theta: Value,
  { steps, cells, cap, signed }: { steps: number; cells: number; cap: number; signed: boolean },
): Tables {
  const intervals = theta.shape[0];
  const rows = cells + 1;
  const centres = Float32Array.from({ length: rows }, (_, r) =>
    r < cells ? (r + 0.5) / cells : 1,
  );
  // f(v) = sum_k p_k clip(K v - k, 0, 1), and f'(v) = K p_k on interval k.
  const basis = new Float32Array(rows * intervals);
  const intervalOf = new Float32Array(rows * intervals);
  centres.forEach((v, r) => {
    for (let k = 0; k < intervals; k++) {
      basis[r * intervals + k] = Math.min(1, Math.max(0, intervals * v - k));
    }
    intervalOf[r * intervals + Math.min(intervals - 1, Math.floor(v * intervals))] = intervals;
  });
  const inside = centres.map((_, r) => (r === cells || (!signed && r === 0) ? 0 : 1));
  const below = new Float32Array(intervals * intervals);
  for (let i = 0; i < intervals; i++) below.fill(1, i * intervals + i + 1, (i + 1) * intervals);

  const phi = b.floats(basis, [rows, intervals]);
  const outputs = b.floats(
    Array.from({ length: steps + 1 }, (_, j) => j / steps),
    [steps + 1, 1],
  );
  const probability = b.node('Softmax', [theta], [intervals], { axis: 0 });
  const row = b.reshape(probability, [1, intervals]);
  const column = b.reshape(probability, [intervals, 1]);
  const offset = b.matmul(row, b.floats(below, [intervals, intervals]));

  const levelBasis = b.clip(b.div(b.sub(outputs, offset), row), 0, 1);
  const level = b.mul(b.reduce('Sum', levelBasis, [1], true), b.scalar(1 / intervals));
  const snapped = b.mul(round(b, b.mul(level, b.scalar(cap))), b.scalar(1 / cap));
  const code = round(b, b.mul(b.matmul(phi, column), b.scalar(steps)));
  const codes = b.reshape(b.cast(code, 'int64'), [rows]);

  // 1 / f'(level): the interval that holds output j / s is the last one whose offset is not above it.
  const reached = b.unary('Sign', b.unary('Relu', b.add(b.sub(outputs, offset), b.scalar(1e-7))));
  const next = b.pad(b.slice(reached, [1], [1], [intervals]), [0, 0, 0, 1]);
  const holds = b.sub(reached, next);
  const inverseSlope = b.mul(
    b.reduce('Sum', b.div(holds, row), [1], true),
    b.scalar(1 / intervals),
  );
  const inverseSlopeOfCell = b.gather(inverseSlope, codes);
  return {
    probability,
    centre: b.floats(centres, [rows, 1]),
    inside: b.floats(inside, [rows, 1]),
    level: b.gather(snapped, codes),
    chainSlope: () =>
      b.mul(b.matmul(b.floats(intervalOf, [rows, intervals]), column), inverseSlopeOfCell),
    levelByProbability: () => b.mul(b.sub(phi, b.gather(levelBasis, codes)), inverseSlopeOfCell),
  };
}

/** Rounds to the nearest integer, ties up. */
function round(b: GraphBuilder, x: Value): Value {
  return b.unary('Floor', b.add(x, b.scalar(0.5)));
}

/**
 * Symmetric uniform 8-bit quantization of weights, one scale an output channel (axis 0) from its largest magnitude:
 * the first and the last layer. Attribute steps: the largest integer (127). Straight-through.
 */
export const uniformQuantize: Rule = ({ builder: b, node, inputs: [w] }) => {
  const steps = intAttribute(node, 'steps');
  const axes = w.shape.map((_, i) => i).slice(1);
  const largest = b.reduce('Max', b.unary('Abs', w), axes, true);
  const scale = b.mul(b.add(largest, b.scalar(1e-12)), b.scalar(1 / steps));
  const output = b.mul(b.unary('Round', b.div(w, scale)), scale);
  return { output, pullback: (dy) => [() => dy] };
};
