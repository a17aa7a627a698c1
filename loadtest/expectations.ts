import type { Capacity } from './capacity.js';
import type { ResourceUse } from './process-sampler.js';
import type { Scenario } from './scenario.js';
import type { LoadResult } from './summary.js';

/** Something that a run had to show, and what it showed. */
export interface Finding {
  readonly what: string;
  readonly measured: number;
  readonly limit: number;
  readonly isMet: boolean;
}

/** How both transports refuse what they have no room for. */
const REFUSALS = ['RESOURCE_EXHAUSTED', 'UNAVAILABLE', 'HTTP 429', 'HTTP 503'];

/** Compares a run with what its scenario expects. What was not measured is not met. */
export function findings(
  { expect }: Scenario,
  result: LoadResult,
  capacity: Capacity | undefined,
  resources: ResourceUse | undefined,
): Finding[] {
  const found: Finding[] = [];
  const atMost = (what: string, measured: number, limit: number | undefined) => {
    if (limit !== undefined) found.push({ what, measured, limit, isMet: measured <= limit });
  };
  atMost('failed share', 1 - result.ok / result.sent, expect.failedShare);
  const { serviceTimes = 0, plusMs = 0 } = expect.p99 ?? {};
  const p99Limit = serviceTimes * (capacity?.serviceMs ?? 0) + plusMs;
  atMost('p99 in ms', result.outcomes.OK?.p99 ?? Infinity, expect.p99 && p99Limit);
  if (expect.goodputShare !== undefined) {
    const measured = result.goodput / (capacity?.perSecond ?? Number.NaN);
    const isMet = measured >= expect.goodputShare;
    found.push({ what: 'goodput of capacity', measured, limit: expect.goodputShare, isMet });
  }
  const refusals = REFUSALS.flatMap((code) => result.outcomes[code]?.p99 ?? []);
  const refusalMs = refusals.length === 0 ? Infinity : Math.max(...refusals);
  atMost('p99 until refused, ms', refusalMs, expect.refusalMs);
  const { slope = Infinity, margin = 0 } = resources?.growth ?? {};
  atMost('growth surely above, MB/h', slope - margin, expect.growthMbPerHour);
  return found;
}
