import { LcqError } from '../errors.js';

/**
 * The compander f of LCQ (arXiv 2103.07156, section 3): monotone and piecewise linear on [0, 1] with f(0) = 0 and
 * f(1) = 1, over K input intervals of equal width. With p = softmax(theta), on interval k
 *
 *     f(v) = gamma_k (v - k/K) + beta_k,   gamma_k = K p_k,   beta_k = sum of p_i over i < k
 */
export interface Compander {
  /** p = softmax(theta), all positive, summing to 1. Its length is K. */
  readonly probabilities: Float64Array;
  /** gamma_k: the slope on interval k. */
  readonly slopes: Float64Array;
  /** beta_k: the value of f where interval k begins. */
  readonly offsets: Float64Array;
}

/**
 * @param theta K >= 1 finite parameters; all equal gives the identity
 * @throws LcqError INVALID_ARGUMENT if theta is empty, not finite, or so spread that a slope vanishes
 */
export function compander(theta: ArrayLike<number>): Compander {
  const count = theta.length;
  const greatest = Math.max(...Array.from(theta));
  if (count === 0 || !Number.isFinite(greatest)) {
    throw new LcqError('INVALID_ARGUMENT', 'theta must hold at least one number, all finite');
  }
  const exponentials = Float64Array.from(theta, (t) => Math.exp(t - greatest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  const probabilities = exponentials.map((e) => e / sum);
  if (!probabilities.every((p) => p > 0)) {
    throw new LcqError('INVALID_ARGUMENT', 'theta must be finite and within 700 of its maximum');
  }
  const offsets = new Float64Array(count);
  for (let k = 1; k < count; k++) offsets[k] = offsets[k - 1] + probabilities[k - 1];
  return { probabilities, slopes: probabilities.map((p) => p * count), offsets };
}

/** The input interval that holds v in [0, 1]; v = 1 belongs to the last. */
export function inputInterval({ slopes }: Compander, v: number): number {
  return Math.min(slopes.length - 1, Math.floor(v * slopes.length));
}

/** The interval whose image under f holds y in [0, 1]. */
export function outputInterval({ offsets }: Compander, y: number): number {
  let k = offsets.length - 1;
  while (k > 0 && offsets[k] > y) k--;
  return k;
}

/** f(v) for v in [0, 1]: the compressing function. */
export function compress(f: Compander, v: number): number {
  if (v >= 1) return 1;
  const k = inputInterval(f, v);
  // The sum of the offsets rounds; without the bound f could exceed 1 by an ulp.
  return Math.min(1, f.slopes[k] * (v - k / f.slopes.length) + f.offsets[k]);
}

/** f^-1(y) for y in [0, 1]: the expanding function. */
export function expand(f: Compander, y: number): number {
  if (y >= 1) return 1;
  const k = outputInterval(f, y);
  return Math.min(1, (y - f.offsets[k]) / f.slopes[k] + k / f.slopes.length);
}
