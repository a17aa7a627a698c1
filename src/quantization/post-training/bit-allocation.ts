import { LcqError } from '../../errors.js';
import type { WeightBits } from '../../lcq/bit-packing.js';

/** A layer with the error that each choice of bits would cost. */
export interface LayerChoices {
  readonly weights: number;
  /** Errors of all layers are in one unit and add up. */
  readonly errors: ReadonlyMap<WeightBits, number>;
}

interface Step {
  readonly layer: number;
  readonly bits: WeightBits;
  /** Bits more than before, of all weights of the layer. */
  readonly cost: number;
  /** Error less than before, for each of these bits. */
  readonly gain: number;
}

/**
 * Bits of each layer that bring the sum of errors down under a budget: all begin with the fewest, then the step that takes
 * away most error for each bit is taken as long as it fits. What lies above the convex hull of a layer's errors is never
 * a choice, which makes this the optimum of the budget that it uses up (Lagrange, Everett 1963).
 * @param averageBits bits of a weight on average
 * @throws LcqError INVALID_ARGUMENT for less than the fewest bits
 */
export function allocateBits(layers: readonly LayerChoices[], averageBits: number): WeightBits[] {
  const hulls = layers.map(convexHull);
  const chosen = hulls.map(([{ bits }]) => bits);
  const total = layers.reduce((sum, { weights }) => sum + weights, 0);
  let left = averageBits * total;
  layers.forEach(({ weights }, i) => {
    left -= chosen[i] * weights;
  });
  if (left < 0) {
    const least = averageBits - left / total;
    throw new LcqError('INVALID_ARGUMENT', `no layer can have less than ${least} bits`);
  }
  const steps = hulls.flatMap((hull, layer) => stepsOf(hull, layer, layers[layer].weights));
  // A hull's gains fall, so that the steps of a layer keep their order.
  steps.sort((a, b) => b.gain - a.gain);
  const full = new Set<number>();
  for (const { layer, bits, cost } of steps) {
    // Later steps of a layer build on the one that did not fit.
    if (full.has(layer)) continue;
    if (cost > left) {
      full.add(layer);
      continue;
    }
    left -= cost;
    chosen[layer] = bits;
  }
  return chosen;
}

interface Point {
  readonly bits: WeightBits;
  readonly error: number;
}

/** The choices from the fewest bits on from which no mix of two others would be better. */
function convexHull({ errors }: LayerChoices): Point[] {
  const points = [...errors]
    .map(([bits, error]) => ({ bits, error }))
    .sort((a, b) => a.bits - b.bits);
  const hull: Point[] = [];
  for (const point of points) {
    const last = hull.at(-1);
    if (last && point.error >= last.error) continue;
    while (
      hull.length > 1 &&
      slope(hull[hull.length - 1], point) >= slope(hull[hull.length - 2], hull[hull.length - 1])
    )
      hull.pop();
    hull.push(point);
  }
  return hull;
}

/** Error taken away by each bit more. */
function slope(from: Point, to: Point): number {
  return (from.error - to.error) / (to.bits - from.bits);
}

function stepsOf(hull: readonly Point[], layer: number, weights: number): Step[] {
  return hull.slice(1).map((point, i) => ({
    layer,
    bits: point.bits,
    cost: (point.bits - hull[i].bits) * weights,
    gain: slope(hull[i], point) / weights,
  }));
}
