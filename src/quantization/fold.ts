import { isUniform, type QuantizerGrid } from '../lcq/grid.js';
import { floatAttribute } from '../onnx/attributes.js';
import { elementsOf } from '../onnx/elements.js';
import type { Graph, Node } from '../onnx/graph.js';
import type { ActivationRange } from './layer-ending.js';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** y = gain acc + offset for each output channel, gain >= 0, with the channels whose weights had to be negated. */
export interface FoldedNorm {
  readonly gain: Float64Array;
  readonly offset: Float64Array;
  readonly negated: readonly boolean[];
}

/** A convolution with a bias, or without one. */
export function foldBias(bias: Float32Array | undefined, unit: Float64Array): FoldedNorm {
  return {
    gain: unit,
    offset: unit.map((_, m) => bias?.[m] ?? 0),
    negated: Array.from(unit, () => false),
  };
}

/**
 * Folds a batch normalization with stored statistics behind an integer accumulator.
 * @param unit the real value of acc = 1, for each output channel
 */
export function foldNorm(graph: Graph, norm: Node, unit: Float64Array): FoldedNorm {
  const [scale, bias, mean, variance] = norm.inputs.slice(1, 5).map((name) => {
    const tensor = graph.initializers.get(name);
    if (!tensor) throw new TypeError(`'${name}' is not an initializer`);
    return elementsOf(tensor, 'float32');
  });
  const epsilon = floatAttribute(norm, 'epsilon', 1e-5);
  const slope = Float64Array.from(scale, (s, c) => s / Math.sqrt(variance[c] + epsilon));
  const gain = slope.map((s, c) => s * unit[c]);
  return {
    gain: gain.map(Math.abs),
    offset: slope.map((s, c) => bias[c] - s * mean[c]),
    negated: Array.from(gain, (g) => g < 0),
  };
}

/**
 * The thresholds of a quantizer behind an activation function that limits its input to [low, high], as reals: alpha r / R,
 * for a signed quantizer also their negatives, ascending. What is not above `low` is reached by every value (-Infinity),
 * what is above `high` by none (Infinity).
 */
export function realThresholds(
  { thresholds, alpha, cells, signed }: QuantizerGrid,
  { low, high }: ActivationRange,
): Float64Array {
  const positive = Array.from(thresholds, (r) => (alpha * r) / cells);
  // Cell 0 of an unsigned quantizer holds everything below zero.
  const reals = signed
    ? [...positive.map((t) => -t).reverse(), ...positive]
    : positive.map((t) => (t > 0 ? t : Number.NEGATIVE_INFINITY));
  return Float64Array.from(reals, (t) => {
    if (t <= low) return Number.NEGATIVE_INFINITY;
    return t > high ? Number.POSITIVE_INFINITY : t;
  });
}

/**
 * Integer thresholds on the accumulator: gain acc + offset >= T exactly when acc >= ceil((T - offset) / gain).
 * @returns [M, S], ascending in each row
 */
export function accumulatorThresholds(
  { gain, offset }: FoldedNorm,
  reals: Float64Array,
): Int32Array {
  const rows = new Int32Array(gain.length * reals.length);
  gain.forEach((g, m) => {
    reals.forEach((t, i) => {
      // A gain of zero makes a constant: its threshold is always or never reached.
      const exact = g > 0 ? Math.ceil((t - offset[m]) / g) : offset[m] >= t ? INT32_MIN : INT32_MAX;
      rows[m * reals.length + i] = Math.min(INT32_MAX, Math.max(INT32_MIN, exact));
    });
  });
  return rows;
}

/** Integer thresholds on a stream of the given unit. */
export function streamThresholds(reals: Float64Array, unit: number): Int32Array {
  return Int32Array.from(reals, (t) =>
    Math.min(INT32_MAX, Math.max(INT32_MIN, Math.ceil(t / unit - ROUNDING))),
  );
}

/** What binary64 may have put between an integer threshold and its quotient. */
const ROUNDING = 1e-6;

/**
 * The unit of a stream that only a uniform quantizer reads: the largest in which its thresholds are 2^p apart and its
 * clip is within 16 bits. Kernels shift by p instead of comparing. Undefined where steps are not all alike.
 */
export function shiftedUnit(grid: QuantizerGrid): number | undefined {
  const steps = grid.thresholds.length;
  return isUniform(grid)
    ? grid.alpha / (steps * 2 ** Math.floor(Math.log2(32767 / steps)))
    : undefined;
}
