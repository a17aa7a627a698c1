import type { Phase } from './arrivals.js';
import { type LoadOptions, runLoad } from './load-run.js';
import type { Scenario } from './scenario.js';

/** What a server can do with the streams of a scenario. */
export interface Capacity {
  /** OK replies a second with as many requests open as fill its batches. */
  readonly perSecond: number;
  /** What a lone caller waits for a reply, the median in ms. */
  readonly serviceMs: number;
}

/** Requests open at once: two of the usual largest batches, but no more than wait for so long, or some are refused. */
const CALLERS = 64;
const LONGEST_WAIT_MS = 500;
const WARM_UP_SECONDS = 2;
const CROWDED: Phase = { seconds: 8, rate: 1 };
const LONE: Phase = { seconds: 3, rate: 1 };

/** Measures by closed loops, one after the other. Slow clients are left out: they wait for themselves. */
export async function measureCapacity(scenario: Scenario, options: LoadOptions): Promise<Capacity> {
  const streams = scenario.streams.filter(({ bytesPerSecond }) => bytesPerSecond === undefined);
  const shortened = { ...scenario, streams, warmUpSeconds: WARM_UP_SECONDS };
  const lone = await runLoad(shortened, [LONE], { ...options, callers: 1 });
  const serviceMs = lone.outcomes.OK?.p50 ?? 0;
  const callers = Math.max(2, Math.min(CALLERS, Math.floor(LONGEST_WAIT_MS / serviceMs)));
  const crowded = await runLoad(shortened, [CROWDED], { ...options, callers });
  return { perSecond: crowded.ok, serviceMs };
}

/** The scenario's phases in requests a second; together they last for `seconds`, if given. */
export function phasesOf(
  { phases }: Scenario,
  capacity: Capacity | undefined,
  seconds: number | undefined,
): Phase[] {
  const total = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  const stretch = seconds === undefined ? 1 : seconds / total;
  return phases.map(({ seconds, rate }) => ({
    seconds: seconds * stretch,
    rate:
      typeof rate === 'number'
        ? rate
        : (Number.parseInt(rate, 10) / 100) * (capacity?.perSecond ?? 0),
  }));
}

/** Whether a scenario's rates or expectations are relative to the capacity. */
export const needsCapacity = ({ phases, expect }: Scenario): boolean =>
  phases.some(({ rate }) => typeof rate === 'string') ||
  expect.p99 !== undefined ||
  expect.goodputShare !== undefined;
