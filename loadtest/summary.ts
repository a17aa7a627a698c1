import type { Report } from './generator-process.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { Recording } from './recorder.js';
import type { Scenario } from './scenario.js';

/** Times in ms. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface StreamResult {
  readonly name: string;
  /** By code: `OK`, or why a request failed; of a refusal it is the time that it took to be refused. */
  readonly outcomes: Readonly<Record<string, Percentiles>>;
  /** Replies a second that were OK and not later than the bound. */
  readonly goodput: number;
  /** The latencies of OK replies at `CURVE`. */
  readonly curve: readonly number[];
}

export interface IntervalResult {
  /** From the end of the warm-up, in seconds. */
  readonly at: number;
  /** Requests a second that were due in it. */
  readonly sent: number;
  readonly good: number;
  readonly ok: number;
  readonly others: Readonly<Record<string, number>>;
  readonly p50: number;
  readonly p99: number;
}

export interface LoadResult {
  readonly seconds: number;
  /** Requests a second: sent, answered OK, and answered OK within the bound. */
  readonly sent: number;
  readonly ok: number;
  readonly goodput: number;
  /** Of all streams together. */
  readonly outcomes: Readonly<Record<string, Percentiles>>;
  readonly streams: readonly StreamResult[];
  readonly intervals: readonly IntervalResult[];
  /** From due to sent. */
  readonly lag: Percentiles;
  /** Of the busiest generator, as a share of one core; one that waits awake is always busy. */
  readonly generatorCpu: number;
  /** False: the generator was late, and the figures are about it and not about the server. */
  readonly isValid: boolean;
}

/** Percentiles of a latency curve. */
export const CURVE = [50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99];

interface Recorded {
  readonly durationMs: number;
  readonly intervalMs: number;
  readonly reports: readonly Report[];
}

/** Joins what the generators recorded. */
export function summarize(
  scenario: Scenario,
  { durationMs, intervalMs, reports }: Recorded,
): LoadResult {
  const recordings = reports.map(({ recording }) => recording);
  const seconds = durationMs / 1000;
  const streams = scenario.streams.map((_, i) =>
    codesOf(recordings.map((each) => each.streams[i])),
  );
  const lag = percentiles(joined(recordings.map((recording) => recording.lag)));
  const all = new Map<string, LatencyHistogram>();
  for (const codes of streams) for (const [code, histogram] of codes) merge(all, code, histogram);
  const total = (codes: ReadonlyMap<string, LatencyHistogram>) =>
    sum([...codes.values()].map(({ count }) => count));
  return {
    seconds,
    sent: total(all) / seconds,
    ok: (all.get('OK')?.count ?? 0) / seconds,
    goodput: sum(recordings.flatMap(({ good }) => good)) / seconds,
    outcomes: outcomesOf(all),
    streams: streams.map((codes, i) => ({
      name: scenario.streams[i].name,
      outcomes: outcomesOf(codes),
      goodput: sum(recordings.map(({ good }) => good[i])) / seconds,
      curve: CURVE.map((percent) => codes.get('OK')?.percentile(percent) ?? 0),
    })),
    intervals: intervalsOf(recordings, intervalMs / 1000),
    lag,
    generatorCpu: Math.max(...reports.map(({ cpu }) => cpu)),
    isValid: lag.p99 <= scenario.maxLagMs,
  };
}

function codesOf(parts: readonly Recording['streams'][number][]): Map<string, LatencyHistogram> {
  const codes = new Map<string, LatencyHistogram>();
  for (const part of parts) {
    for (const [code, text] of Object.entries(part)) {
      merge(codes, code, LatencyHistogram.decode(text));
    }
  }
  return codes;
}

function merge(
  codes: Map<string, LatencyHistogram>,
  code: string,
  histogram: LatencyHistogram,
): void {
  const known = codes.get(code) ?? new LatencyHistogram();
  codes.set(code, known);
  known.add(histogram);
}

function intervalsOf(recordings: readonly Recording[], seconds: number): IntervalResult[] {
  return recordings[0].intervals.map((_, i) => {
    const parts = recordings.map(({ intervals }) => intervals[i]);
    const latencies = joined(parts.map((part) => part.latencies));
    const others: Record<string, number> = {};
    for (const part of parts) {
      for (const [code, count] of Object.entries(part.others)) {
        others[code] = (others[code] ?? 0) + count / seconds;
      }
    }
    return {
      at: i * seconds,
      sent: sum(parts.map(({ sent }) => sent)) / seconds,
      good: sum(parts.map(({ good }) => good)) / seconds,
      ok: latencies.count / seconds,
      others,
      p50: latencies.percentile(50),
      p99: latencies.percentile(99),
    };
  });
}

function joined(texts: readonly string[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const text of texts) histogram.add(LatencyHistogram.decode(text));
  return histogram;
}

const outcomesOf = (codes: ReadonlyMap<string, LatencyHistogram>) =>
  Object.fromEntries([...codes].sort().map(([code, histogram]) => [code, percentiles(histogram)]));

function percentiles(histogram: LatencyHistogram): Percentiles {
  return {
    count: histogram.count,
    p50: histogram.percentile(50),
    p90: histogram.percentile(90),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    max: histogram.max,
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
