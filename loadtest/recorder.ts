import { LatencyHistogram } from './latency-histogram.js';
import { NO_REPLY } from './sender.js';

/** What one request came to. */
export interface Outcome {
  /** Index of its stream. */
  readonly stream: number;
  /** When it was due, in ms from the end of the warm-up; negative: it was part of that. */
  readonly dueAt: number;
  /** `OK` or an error code. */
  readonly code: string;
  /** From when it was due until its reply was whole, in ms. */
  readonly latencyMs: number;
}

/** A recording as it travels from a generator's process: histograms in HdrHistogram's encoding. */
export interface Recording {
  /** By stream, then by code. */
  readonly streams: readonly Readonly<Record<string, string>>[];
  /** From due to sent. */
  readonly lag: string;
  readonly good: readonly number[];
  readonly intervals: readonly IntervalRecording[];
}

/** The requests that were due in one interval. */
export interface IntervalRecording {
  readonly sent: number;
  readonly good: number;
  /** Latencies of the OK ones. */
  readonly latencies: string;
  readonly others: Readonly<Record<string, number>>;
}

class Interval {
  sent = 0;
  good = 0;
  readonly latencies = new LatencyHistogram();
  readonly others: Record<string, number> = {};
}

/** Takes in what happens; the warm-up is left out. */
export class Recorder {
  readonly #goodWithinMs: readonly number[];
  readonly #intervalMs: number;
  readonly #streams: Map<string, LatencyHistogram>[];
  readonly #good: number[];
  readonly #lag = new LatencyHistogram();
  readonly #intervals: Interval[];
  #unanswered = 0;

  /** `goodWithinMs` has a bound for each stream; `durationMs` is without the warm-up. */
  constructor(goodWithinMs: readonly number[], durationMs: number, intervalMs: number) {
    this.#goodWithinMs = goodWithinMs;
    this.#intervalMs = intervalMs;
    this.#streams = goodWithinMs.map(() => new Map());
    this.#good = goodWithinMs.map(() => 0);
    const count = Math.ceil(durationMs / intervalMs);
    this.#intervals = Array.from({ length: count }, () => new Interval());
  }

  /** Requests that were sent, warm-up included, and not finished. */
  get unanswered(): number {
    return this.#unanswered;
  }

  sent(dueAt: number, lagMs: number): void {
    this.#unanswered += 1;
    if (dueAt < 0) return;
    this.#lag.record(lagMs);
    this.#interval(dueAt).sent += 1;
  }

  finished(outcome: Outcome): void {
    this.#unanswered -= 1;
    this.#count(outcome);
  }

  /** Counts those that were never answered. */
  gaveUp(requests: Iterable<Omit<Outcome, 'code' | 'latencyMs'>>, latencyMs: number): void {
    for (const request of requests) this.finished({ ...request, code: NO_REPLY, latencyMs });
  }

  recording(): Recording {
    return {
      streams: this.#streams.map((codes) =>
        Object.fromEntries([...codes].map(([code, histogram]) => [code, histogram.encode()])),
      ),
      lag: this.#lag.encode(),
      good: this.#good,
      intervals: this.#intervals.map(({ sent, good, latencies, others }) => {
        return { sent, good, latencies: latencies.encode(), others };
      }),
    };
  }

  #interval(dueAt: number): Interval {
    return this.#intervals[Math.floor(dueAt / this.#intervalMs)];
  }

  #count({ stream, dueAt, code, latencyMs }: Outcome): void {
    if (dueAt < 0) return;
    const codes = this.#streams[stream];
    const histogram = codes.get(code) ?? new LatencyHistogram();
    codes.set(code, histogram);
    histogram.record(latencyMs);
    const interval = this.#interval(dueAt);
    if (code !== 'OK') {
      interval.others[code] = (interval.others[code] ?? 0) + 1;
      return;
    }
    interval.latencies.record(latencyMs);
    if (latencyMs > this.#goodWithinMs[stream]) return;
    interval.good += 1;
    this.#good[stream] += 1;
  }
}
