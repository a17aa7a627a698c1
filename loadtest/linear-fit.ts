/** A straight line through points, and how sure its slope is. */
export interface LinearFit {
  /** Of y for each unit of x. */
  readonly slope: number;
  /** Half the width of the slope's 95 % confidence interval. */
  readonly margin: number;
}

/** Of a normal distribution, two-sided. */
const QUANTILE_95 = 1.96;

/**
 * Fits by least squares, to 3 points at least.
 *
 * Neighbours in a series of measurements are alike, and so many points say less than as many independent ones: the
 * margin counts them for fewer, by the correlation of neighbouring residuals (an AR(1) process).
 */
export function fitLine(points: readonly { readonly x: number; readonly y: number }[]): LinearFit {
  const count = points.length;
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const spread = sum(points.map(({ x }) => (x - meanX) ** 2));
  const slope = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / spread;
  const residuals = points.map(({ x, y }) => y - meanY - slope * (x - meanX));
  const squares = sum(residuals.map((r) => r * r));
  const neighbours = sum(residuals.slice(1).map((r, i) => r * residuals[i]));
  const correlation = squares === 0 ? 0 : Math.min(0.99, Math.max(0, neighbours / squares));
  const independent = Math.max(3, (count * (1 - correlation)) / (1 + correlation));
  const error = Math.sqrt(squares / (independent - 2) / spread);
  return { slope, margin: QUANTILE_95 * error };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
