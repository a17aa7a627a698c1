import { LcqError } from '../errors.js';
import { compress } from './compander.js';
import { companderLevels, countReached, snapLevels } from './levels.js';
import { type LcqQuantizerParameters, lcqQuantizer } from './quantizer.js';
import { uniformCode } from './uniform-quantizer.js';

/**
 * The quantizer as the trainer applies it: |x|/alpha is cut into R equal cells and every value of a cell has the code
 * of the cell's centre. Thresholds are thereby multiples of alpha/R, which the exporter writes, so that training and
 * deployment agree.
 *
 * Cell r < R holds v in [r/R, (r+1)/R), its centre is v_r = (r + 1/2)/R; cell R holds the clipped values, v_R = 1. For
 * an unsigned quantizer cell 0 also holds everything below zero. For a signed one the negative half is the mirror
 * image: -v is in the cell of v, except that a border belongs to the cell nearer to zero.
 */
export interface QuantizerGrid {
  readonly alpha: number;
  readonly signed: boolean;
  /** R */
  readonly cells: number;
  /** Integer levels of the codes 0..s, ascending from 0 to the cap. The real level is alpha/cap times this. */
  readonly levels: Int32Array;
  /** The code of each cell 0..R, non-decreasing, s at R. */
  readonly codes: Uint8Array;
  /**
   * For c = 1..s the first cell whose code is at least c; in reals alpha * r / R. A 0 is reached by every x, also by
   * negative ones.
   */
  readonly thresholds: Int32Array;
}

/** The default R: 4096 cells cost the trainer 5 % more. */
export const GRID_CELLS = 1024;

/** The R next to the default for which the borders of s uniform steps, (k - 1/2) / s, are borders of cells. */
export function uniformCells(steps: number): number {
  const multiple = 2 * steps;
  return multiple * Math.round(GRID_CELLS / multiple);
}

export type QuantizerGridParameters = LcqQuantizerParameters & {
  readonly cap: number;
  readonly cells?: number;
};

/**
 * The code of cell r is round(s f(v_r)), halves up, and level c is round(cap f^-1(c/s)), halves up, in binary64.
 *
 * @throws LcqError INVALID_ARGUMENT for parameters that lcqQuantizer refuses, or cap or cells not a positive integer
 */
export function quantizerGrid({
  cells = GRID_CELLS,
  ...parameters
}: QuantizerGridParameters): QuantizerGrid {
  const { cap } = parameters;
  for (const [name, value] of Object.entries({ cap, cells })) {
    if (!(Number.isInteger(value) && value > 0)) {
      throw new LcqError('INVALID_ARGUMENT', `${name} must be a positive integer, not ${value}`);
    }
  }
  const { alpha, signed, steps, compander } = lcqQuantizer(parameters);
  const codes = Uint8Array.from({ length: cells + 1 }, (_, r) =>
    uniformCode(compress(compander, r < cells ? (r + 0.5) / cells : 1), steps),
  );
  const thresholds = Int32Array.from({ length: steps }, (_, below) => countReached(codes, below));
  return {
    alpha,
    signed,
    cells,
    levels: snapLevels(companderLevels(compander, steps), cap),
    codes,
    thresholds,
  };
}

/** Whether the code k begins at exactly (k - 1/2) / s for all k. */
export function isUniform({ thresholds, cells }: QuantizerGrid): boolean {
  const steps = thresholds.length;
  return thresholds.every((r, i) => 2 * steps * r === (2 * i + 1) * cells);
}

/**
 * The code of x on the grid, signed like x, by the trainer's own binary32 arithmetic: what the exporter stores for a
 * weight.
 */
export function gridCode({ alpha, signed, cells, codes }: QuantizerGrid, x: number): number {
  const scaled = Math.fround(Math.fround(x) * Math.fround(cells / Math.fround(alpha)));
  if (!signed) return codes[Math.trunc(Math.min(Math.max(scaled, 0), cells))];
  const position = Math.min(Math.max(Math.fround(scaled + cells + 1), 0.5), 2 * cells + 1);
  const index = Math.trunc(position);
  // Subtracted, so that the code of small negative values is not -0.
  return index > cells ? codes[index - cells - 1] : 0 - codes[cells - index];
}
