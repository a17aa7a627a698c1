import { LcqError } from '../errors.js';

/**
 * Limited weight normalization (arXiv 2103.07156, section 3): the quantizer sees w~ = (w - mean(w)) / std(w) over all
 * weights of a layer and its output is scaled back, w^ = std(w) Q(w~). Magnitudes outside the quantizer stay as they
 * were, so pretrained weights and learning rates remain valid.
 */
export interface NormalizedWeights {
  /** w~, in the order of the weights */
  readonly values: Float64Array;
  readonly mean: number;
  /** sqrt(variance + VARIANCE_FLOOR); the variance is the population's (division by N). */
  readonly std: number;
}

/** Keeps weights without spread from a division by zero; the trainer adds the same. */
export const VARIANCE_FLOOR = 1e-8;

/** @throws LcqError INVALID_ARGUMENT if there are no weights or not all are finite */
export function normalizeWeights(weights: ArrayLike<number>): NormalizedWeights {
  const w = Float64Array.from(weights);
  const mean = average(w);
  const variance = average(w.map((value) => (value - mean) ** 2));
  const std = Math.sqrt(variance + VARIANCE_FLOOR);
  if (!Number.isFinite(std)) {
    throw new LcqError(
      'INVALID_ARGUMENT',
      `weights cannot be normalized: their standard deviation is ${std}`,
    );
  }
  return { values: w.map((value) => (value - mean) / std), mean, std };
}

/**
 * The loss's gradient by w, given its gradients by w~ and by std (the scale back). With g = dLoss/dw~:
 *
 *     dLoss/dw = (g - mean(g) - w~ mean(g w~)) / std + dStd w~ / N
 */
export function normalizationGradient(
  { values, std }: NormalizedWeights,
  dValues: Float64Array,
  dStd: number,
): Float64Array {
  const mean = average(dValues);
  const projection = average(dValues.map((g, i) => g * values[i]));
  return dValues.map(
    (g, i) => (g - mean - values[i] * projection) / std + (dStd * values[i]) / values.length,
  );
}

function average(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
