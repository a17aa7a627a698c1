import { type Compander, expand } from './compander.js';

/** Levels and thresholds of the quantizer in units of alpha: all that deployment needs of the compander. */

/**
 * The largest integer level by bits, the default snapping. Each cap is the greatest one that leaves a fast exact kernel
 * its 8-bit operands:
 * 2 bits: a byte table of sums of three products, 3 * 2 * 42 = 252;
 * 3 bits: Winograd F(2x2,3x3) multiplies the range of activations by 4 (252) and that of weights by 9 (126);
 * 4 bits: Winograd F(2,3) multiplies them by 2 (254) and by 3 (126);
 * 8 bits: the full ranges of u8 and of symmetric s8.
 */
export const levelCaps: Readonly<
  Record<number, { readonly activations: number; readonly weights: number }>
> = {
  2: { activations: 42, weights: 1 },
  3: { activations: 63, weights: 14 },
  4: { activations: 127, weights: 42 },
  8: { activations: 255, weights: 127 },
};

/** f^-1(c / s) for the codes c = 0..s: ascending from 0 to 1. */
export function companderLevels(f: Compander, steps: number): Float64Array {
  return Float64Array.from({ length: steps + 1 }, (_, code) => expand(f, code / steps));
}

/**
 * f^-1((c - 1/2) / s) for c = 1..s, ascending: the code of v is the number of thresholds that it reaches. This equals
 * round(s f(v)), ties to the higher code.
 */
export function companderThresholds(f: Compander, steps: number): Float64Array {
  return Float64Array.from({ length: steps }, (_, below) => expand(f, (below + 0.5) / steps));
}

/** #{ t : v >= thresholds[t] } for ascending thresholds. */
export function countReached(thresholds: ArrayLike<number>, v: number): number {
  let low = 0;
  let high = thresholds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (v >= thresholds[middle]) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Levels in [0, 1] as integers in [0, cap], halves up: the re-quantization after expansion. */
export function snapLevels(levels: Float64Array, cap: number): Int32Array {
  return Int32Array.from(levels, (level) => Math.floor(level * cap + 0.5));
}

/**
 * Integer levels of magnitudes 0..s as the 2s + 1 levels of signed codes: entry q + s belongs to the index q in
 * [-s, s]. The first level, that of zero, must be 0.
 */
export function symmetricLevels(levels: Int32Array): Int8Array {
  const steps = levels.length - 1;
  return Int8Array.from(
    { length: 2 * steps + 1 },
    (_, code) => Math.sign(code - steps) * levels[Math.abs(code - steps)],
  );
}
