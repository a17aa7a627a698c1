import { compander } from '../../lcq/compander.js';
import { GRID_CELLS } from '../../lcq/grid.js';
import { companderLevels, companderThresholds, snapLevels } from '../../lcq/levels.js';
import { uniformCode, uniformSteps } from '../../lcq/uniform-quantizer.js';

/** A quantizer's parameters, fitted to a sample. */
export interface FittedQuantizer {
  readonly alpha: number;
  readonly theta: Float32Array;
  /** Squared error over squared signal. */
  readonly error: number;
}

export interface FitSettings {
  readonly bits: number;
  readonly signed: boolean;
  /** The largest integer level. */
  readonly cap: number;
  /** Intervals K of the compander. */
  readonly intervals: number;
  /** Whether theta is fitted; else it stays at the identity. */
  readonly companding: boolean;
}

/** Clips that are tried, as parts of the largest magnitude. */
const CLIP_CANDIDATES = 60;
/** A compander serves a longer tail than uniform steps: clips that are tried with one, as multiples of the uniform one. */
const WIDER_CLIPS = [1, 1.2, 1.5];
/** Step sizes of the search for theta, coarse to fine. */
const THETA_STEPS = [0.8, 0.4, 0.2, 0.1];

/**
 * The clip and the compander with the smallest squared error on a sample: first the clip with uniform steps, then theta
 * by coordinate descent, for a few clips from that one on.
 */
export function fitQuantizer(sample: ArrayLike<number>, settings: FitSettings): FittedQuantizer {
  const magnitudes = magnitudesOf(sample, settings.signed);
  const largest = magnitudes.reduce((a, v) => Math.max(a, v), 0);
  const theta = new Float32Array(settings.intervals);
  if (!(largest > 0)) return { alpha: 1, theta, error: 0 };
  const best = (fits: FittedQuantizer[]) => fits.reduce((a, b) => (b.error < a.error ? b : a));
  const uniform = best(
    Array.from({ length: CLIP_CANDIDATES }, (_, i) => {
      const alpha = (largest * (i + 1)) / CLIP_CANDIDATES;
      return { alpha, theta, error: uniformError(magnitudes, alpha, settings) };
    }),
  );
  if (!settings.companding) return uniform;
  const clips = WIDER_CLIPS.map((factor) => Math.min(largest, factor * uniform.alpha));
  return best(
    [...new Set(clips)].map((alpha) => {
      const histogram = new Histogram([{ magnitudes, alpha, weight: 1 }]);
      return { alpha, ...fitTheta(histogram, settings) };
    }),
  );
}

/** One clip for each row of weights, and the compander that serves all rows; `error` is over all of them. */
export function fitRows(
  rows: readonly Float32Array[],
  settings: FitSettings,
): { clips: Float32Array; theta: Float32Array; error: number } {
  const clips = Float32Array.from(
    rows,
    (row) => fitQuantizer(row, { ...settings, companding: false }).alpha,
  );
  const histogram = new Histogram(
    rows.map((row, m) => {
      return { magnitudes: magnitudesOf(row, true), alpha: clips[m], weight: clips[m] ** 2 };
    }),
  );
  const theta = new Float32Array(settings.intervals);
  if (!settings.companding) return { clips, theta, error: histogram.error(theta, settings) };
  return { clips, ...fitTheta(histogram, settings) };
}

/** Squared error over squared signal of uniform steps: one pass, which for few elements is less than a histogram. */
function uniformError(
  magnitudes: Float32Array,
  alpha: number,
  { bits, signed, cap }: FitSettings,
): number {
  const steps = uniformSteps(bits, signed);
  const levels = snapLevels(
    Float64Array.from({ length: steps + 1 }, (_, code) => code / steps),
    cap,
  );
  let [error, energy] = [0, 0];
  for (const x of magnitudes) {
    const level = (alpha * levels[uniformCode(Math.min(1, x / alpha), steps)]) / cap;
    error += (x - level) ** 2;
    energy += x * x;
  }
  return error / energy;
}

/** What a quantizer can represent: magnitudes, or the positive part. */
function magnitudesOf(sample: ArrayLike<number>, signed: boolean): Float32Array {
  return Float32Array.from(sample, (v) => (signed ? Math.abs(v) : Math.max(0, v)));
}

/**
 * Sums over the cells of the quantizer's grid, from which the error of any compander follows without the sample: entry
 * r holds the sums of all cells below r.
 */
class Histogram {
  private readonly counts = new Float64Array(GRID_CELLS + 2);
  private readonly sums = new Float64Array(GRID_CELLS + 2);
  private readonly energy: number;

  /** @param rows magnitudes, each with its clip and the weight of its squared errors, which are in units of the clip */
  constructor(
    rows: readonly {
      readonly magnitudes: Float32Array;
      readonly alpha: number;
      readonly weight: number;
    }[],
  ) {
    let energy = 0;
    for (const { magnitudes, alpha, weight } of rows) {
      for (const x of magnitudes) {
        const v = x / alpha;
        const cell = Math.min(GRID_CELLS, Math.floor(v * GRID_CELLS));
        this.counts[cell + 1] += weight;
        this.sums[cell + 1] += weight * v;
        energy += weight * v * v;
      }
    }
    this.energy = energy;
    for (let r = 1; r < this.counts.length; r++) {
      this.counts[r] += this.counts[r - 1];
      this.sums[r] += this.sums[r - 1];
    }
  }

  /** Squared error over squared signal. */
  error(theta: Float32Array, { bits, signed, cap }: FitSettings): number {
    const f = compander(theta);
    const steps = uniformSteps(bits, signed);
    const levels = snapLevels(companderLevels(f, steps), cap);
    const thresholds = companderThresholds(f, steps);
    let error = this.energy;
    for (let code = 1; code <= steps; code++) {
      const level = levels[code] / cap;
      // A cell has the code of its centre.
      const first = Math.ceil(thresholds[code - 1] * GRID_CELLS - 0.5);
      const end = code < steps ? Math.ceil(thresholds[code] * GRID_CELLS - 0.5) : GRID_CELLS + 1;
      const count = this.counts[end] - this.counts[first];
      const sum = this.sums[end] - this.sums[first];
      error += level * (level * count - 2 * sum);
    }
    return this.energy > 0 ? Math.max(0, error) / this.energy : 0;
  }
}

function fitTheta(
  histogram: Histogram,
  settings: FitSettings,
): { theta: Float32Array; error: number } {
  const start = new Float32Array(settings.intervals);
  let best = { theta: start, error: histogram.error(start, settings) };
  for (const step of THETA_STEPS) {
    for (let improved = true; improved; ) {
      improved = false;
      for (let i = 0; i < 2 * settings.intervals; i++) {
        const theta = Float32Array.from(best.theta);
        theta[i >> 1] += i % 2 === 0 ? step : -step;
        const error = histogram.error(theta, settings);
        // Small gains are noise of the sample: they are left to reconstruction.
        if (error < best.error * 0.999) {
          best = { theta, error };
          improved = true;
        }
      }
    }
  }
  return best;
}
