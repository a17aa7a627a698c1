import type { Capacity } from '../capacity.js';
import type { Finding } from '../expectations.js';
import type { Cores } from '../pinned-process.js';
import type { ResourceUse } from '../process-sampler.js';
import type { RateSearch } from '../rate-search.js';
import type { Scenario } from '../scenario.js';
import type { LoadResult } from '../summary.js';

/** All that is told of one run; `report.json` is this. */
export interface RunReport {
  readonly scenario: Scenario;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly node: string;
    /** Of the server, where we started it, and of the generators; absent: all cores. */
    readonly serverCores?: Cores;
    readonly clientCores?: Cores;
    readonly generators: number;
  };
  readonly capacity?: Capacity | undefined;
  readonly search?: RateSearch | undefined;
  /** At the scenario's rates, or at the rate that the search found. */
  readonly result: LoadResult;
  /** Of the processes that were watched. */
  readonly resources?: ResourceUse | undefined;
  readonly findings: readonly Finding[];
}
