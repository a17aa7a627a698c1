import { LcqError } from '../errors.js';
import {
  type Compander,
  compander,
  compress,
  expand,
  inputInterval,
  outputInterval,
} from './compander.js';
import { companderLevels, snapLevels } from './levels.js';
import { quantizeUniform, uniformCode, uniformSteps } from './uniform-quantizer.js';

/**
 * The LCQ quantizer (arXiv 2103.07156, section 3):
 *
 *     Q(x) = sgn(x) alpha g(|x| / alpha) inside the clip |x| < alpha, else sgn(x) alpha;   g = f^-1 . q_s . f
 *
 * Unsigned quantizers give 0 for x <= 0.
 */
export interface LcqQuantizer {
  /** The clip, > 0. */
  readonly alpha: number;
  readonly signed: boolean;
  /** s */
  readonly steps: number;
  readonly compander: Compander;
  /** Level of each code 0..s in units of alpha, snapped to a multiple of 1/cap where the quantizer has a cap. */
  readonly levels: Float64Array;
}

export interface LcqQuantizerParameters {
  readonly alpha: number;
  /** K parameters of the compander. */
  readonly theta: ArrayLike<number>;
  readonly bits: number;
  readonly signed: boolean;
  /** The largest integer level (see levelCaps); left out, levels are not snapped. */
  readonly cap?: number;
}

/** @throws LcqError INVALID_ARGUMENT unless alpha > 0 is finite, bits an integer in [2, 8] and theta valid */
export function lcqQuantizer({
  alpha,
  theta,
  bits,
  signed,
  cap,
}: LcqQuantizerParameters): LcqQuantizer {
  if (!(alpha > 0 && Number.isFinite(alpha))) {
    throw new LcqError('INVALID_ARGUMENT', `alpha must be positive and finite, not ${alpha}`);
  }
  if (!(Number.isInteger(bits) && bits >= 2 && bits <= 8)) {
    throw new LcqError('INVALID_ARGUMENT', `bits must be an integer from 2 to 8, not ${bits}`);
  }
  const f = compander(theta);
  const steps = uniformSteps(bits, signed);
  const levels = companderLevels(f, steps);
  const snapped =
    cap === undefined ? levels : Float64Array.from(snapLevels(levels, cap), (level) => level / cap);
  return { alpha, signed, steps, compander: f, levels: snapped };
}

/** The code of x, signed like x: an integer in [0, s], or in [-s, s] for signed quantizers. */
export function lcqCode(quantizer: LcqQuantizer, x: number): number {
  if (!quantizer.signed && x <= 0) return 0;
  const v = Math.min(1, Math.abs(x) / quantizer.alpha);
  const code = uniformCode(compress(quantizer.compander, v), quantizer.steps);
  // Subtracted, so that the code of small negative values is not -0.
  return x < 0 ? 0 - code : code;
}

/** Q(x) */
export function lcqQuantize(quantizer: LcqQuantizer, x: number): number {
  const code = lcqCode(quantizer, x);
  return Math.sign(code) * quantizer.alpha * quantizer.levels[Math.abs(code)];
}

/** What flows through Q to x: 1 inside the clip (the usual choice), or the slope of f^-1 . f around the rounding. */
export type InputGradient = 'identity' | 'chain';

export interface LcqGradients {
  readonly dx: number;
  readonly dAlpha: number;
  /** [K] */
  readonly dTheta: Float64Array;
}

/**
 * Derivatives of Q at x, straight through the rounding and the snapping only. With v = |x|/alpha in input interval i
 * and y_q = q_s(f(v)) in output interval j, inside the clip:
 *
 *     dQ/dx     = 1, or gamma_i / gamma_j by the chain rule
 *     dQ/dalpha = Q/alpha - (x/alpha) dQ/dx
 *     dQ/dp_k   = sgn(x) alpha (clip(K v - k, 0, 1) - clip(K l - k, 0, 1)) / gamma_j,   l = f^-1(y_q)
 *     dQ/dtheta = softmax's Jacobian times dQ/dp
 *
 * Outside, dQ/dx and dQ/dtheta are 0 and dQ/dalpha = sgn(x). (The third line is dQ/dgamma and dQ/dbeta of the paper
 * gathered by p_k: both are linear in it.)
 */
export function lcqGradients(
  quantizer: LcqQuantizer,
  x: number,
  inputGradient: InputGradient = 'identity',
): LcqGradients {
  const { alpha, steps, signed, compander: f } = quantizer;
  const dTheta = new Float64Array(f.slopes.length);
  if (!signed && x <= 0) return { dx: 0, dAlpha: 0, dTheta };
  const sign = Math.sign(x);
  const v = Math.abs(x) / alpha;
  if (v >= 1) return { dx: 0, dAlpha: sign, dTheta };
  const yq = quantizeUniform(compress(f, v), steps);
  const outputSlope = f.slopes[outputInterval(f, yq)];
  const dx = inputGradient === 'identity' ? 1 : f.slopes[inputInterval(f, v)] / outputSlope;
  const dAlpha = (lcqQuantize(quantizer, x) - x * dx) / alpha;
  const level = expand(f, yq);
  const dp = dTheta.map(
    (_, k) =>
      (sign * alpha * (shareOfInterval(f, v, k) - shareOfInterval(f, level, k))) / outputSlope,
  );
  const mean = dp.reduce((sum, d, k) => sum + d * f.probabilities[k], 0);
  return { dx, dAlpha, dTheta: dp.map((d, k) => f.probabilities[k] * (d - mean)) };
}

/** The part of interval k that lies below v, in [0, 1]: df(v)/dp_k. */
function shareOfInterval(f: Compander, v: number, k: number): number {
  return Math.min(1, Math.max(0, f.slopes.length * v - k));
}
