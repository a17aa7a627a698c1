import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

/** 1 us to an hour. */
const RANGE = {
  lowestDiscernibleValue: 1,
  highestTrackableValue: 3_600_000_000,
  numberOfSignificantValueDigits: 3,
  autoResize: true,
} as const;

/** Counts of times in ms, exact to 3 digits; they join without loss. */
export class LatencyHistogram {
  readonly #histogram: Histogram;

  constructor(histogram: Histogram = build(RANGE)) {
    this.#histogram = histogram;
  }

  /** Reads what `encode` wrote. */
  static decode(text: string): LatencyHistogram {
    return new LatencyHistogram(decodeFromCompressedBase64(text));
  }

  /** HdrHistogram's own format, which its other tools read. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  record(ms: number): void {
    this.#histogram.recordValue(Math.max(0, Math.round(ms * 1000)));
  }

  add(other: LatencyHistogram): void {
    this.#histogram.add(other.#histogram);
  }

  /** The time in ms that `percent` of all took at most; 0 when there are none. */
  percentile(percent: number): number {
    return this.count === 0 ? 0 : this.#histogram.getValueAtPercentile(percent) / 1000;
  }

  get max(): number {
    return this.count === 0 ? 0 : this.#histogram.maxValue / 1000;
  }
}
