/** How often values fall into bins of one width from `from` to `to`. */
export interface Histogram {
  readonly from: number;
  readonly to: number;
  /** The share of the values in each bin. */
  readonly bins: readonly number[];
  /** The share of values that are exactly zero; they are in no bin, whose height would hide all others. */
  readonly zeros: number;
  /** The share whose magnitude is above 1, the clip. */
  readonly clipped: number;
}

const BINS = 90;

/** @param values in units of the clip; NaN is none */
export function histogram(values: ArrayLike<number>, from: number, to: number): Histogram {
  const counts = new Array<number>(BINS).fill(0);
  let zeros = 0;
  let clipped = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) continue;
    total++;
    if (value === 0) zeros++;
    else if (value >= from && value < to) {
      counts[Math.floor(((value - from) / (to - from)) * BINS)]++;
    }
    if (Math.abs(value) > 1) clipped++;
  }
  const share = (count: number) => (total === 0 ? 0 : count / total);
  return { from, to, bins: counts.map(share), zeros: share(zeros), clipped: share(clipped) };
}
