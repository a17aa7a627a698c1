/** Parts of a request's time, in ms. */
export interface TimedParts {
  readonly queue: number;
  readonly preprocess: number;
  readonly infer: number;
  readonly postprocess: number;
  readonly batchSize: number;
}

/** The header (or metadata) that tells a caller where its time went. */
export const SERVER_TIMING = 'server-timing';

/** Its value, as the W3C's Server Timing has it; undefined if nothing was run. */
export function serverTiming(parts: TimedParts): string | undefined {
  const { queue, preprocess, infer, postprocess, batchSize } = parts;
  if (batchSize === 0) return undefined;
  const spent = Object.entries({ queue, preprocess, infer, postprocess });
  const entries = spent.map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`);
  return [...entries, `batch;desc="${batchSize}"`].join(', ');
}
