import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LcqError } from '../src/errors.js';
import { durationOf, type Phase } from './arrivals.js';
import type { Job, Report, Target } from './generator-process.js';
import { type Cores, startNode } from './pinned-process.js';
import type { Scenario } from './scenario.js';
import { type LoadResult, summarize } from './summary.js';

/** What makes the load. */
export interface Generators {
  /** How many processes share it, >= 1. */
  readonly processes: number;
  /** Theirs alone: then they may wait awake, and send to the microsecond. */
  readonly cores: Cores;
}

export interface LoadOptions {
  readonly target: Target;
  readonly generators: Generators;
  /** With it the load is closed: so many requests are open all the time, and rates mean nothing. */
  readonly callers?: number;
}

const MODULE = fileURLToPath(new URL('./generator-process.js', import.meta.url));
const STDIO: StdioOptions = ['ignore', 'ignore', 'inherit', 'ipc'];
/** A run is told in so many intervals at most, and none is shorter than a second. */
const MAX_INTERVALS = 300;

/**
 * Puts the scenario's streams on a server, at the rates of `phases` after a warm-up.
 *
 * Rejects with UNAVAILABLE when a generator ends before it has reported.
 */
export async function runLoad(
  scenario: Scenario,
  phases: readonly Phase[],
  { target, generators, callers = 0 }: LoadOptions,
): Promise<LoadResult> {
  const durationMs = durationOf(phases);
  const intervalMs = 1000 * Math.ceil(durationMs / 1000 / MAX_INTERVALS);
  const processes = Math.min(generators.processes, callers || Infinity);
  const reports = await inProcesses({ ...generators, processes }, (index): Job => {
    const share = (count: number) => Math.ceil((count - index) / processes);
    return {
      load: {
        phases: [{ seconds: scenario.warmUpSeconds, rate: phases[0].rate }, ...phases].map(
          ({ seconds, rate }) => ({ seconds, rate: rate / processes }),
        ),
        warmUpMs: scenario.warmUpSeconds * 1000,
        replyTimeoutMs: scenario.replyTimeoutMs,
        seed: scenario.seed * 1000 + index,
        weights: scenario.streams.map(({ weight }) => weight),
        spins: generators.cores !== undefined,
      },
      streams: scenario.streams,
      target,
      goodWithinMs: scenario.streams.map((stream) => stream.goodWithinMs ?? scenario.goodWithinMs),
      durationMs,
      intervalMs,
      callers: share(callers),
    };
  });
  return summarize(scenario, { durationMs, intervalMs, reports });
}

async function inProcesses(
  { processes, cores }: Generators,
  jobOf: (index: number) => Job,
): Promise<Report[]> {
  const children = Array.from({ length: processes }, () => startNode(MODULE, [], cores, STDIO));
  try {
    await Promise.all(
      children.map((child, i) => {
        child.send(jobOf(i));
        return message(child);
      }),
    );
    const reports = children.map((child) => message(child));
    for (const child of children) child.send('go');
    return (await Promise.all(reports)) as Report[];
  } finally {
    for (const child of children) child.kill();
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(() => {
    throw new LcqError('UNAVAILABLE', 'a load generator ended before it had reported');
  });
  const [received] = await Promise.race([once(child, 'message'), ended]);
  return received;
}
