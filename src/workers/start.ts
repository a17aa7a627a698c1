import { fileURLToPath } from 'node:url';
import { WorkerPool } from './worker-pool.js';

const MODULE = fileURLToPath(new URL('./lcq-worker.js', import.meta.url));

/** How long a worker that ended is waited for: at first, and at most after it ended again and again. */
const BACK_OFF_MS = 100;
const MAX_BACK_OFF_MS = 30_000;

export interface WorkerSettings {
  /** Processes; 0: none. */
  readonly workers: number;
  /** Of each run. */
  readonly threads: number;
  readonly workerTimeoutMs: number;
}

/** Starts the processes that run the models, with these variables; undefined if there are none. */
export function startWorkers(
  { workers, threads, workerTimeoutMs: runTimeoutMs }: WorkerSettings,
  env: Readonly<Record<string, string | undefined>>,
): WorkerPool | undefined {
  if (workers === 0) return undefined;
  const command = { module: MODULE, args: [String(threads)], env };
  const backOff = { backOffMs: BACK_OFF_MS, maxBackOffMs: MAX_BACK_OFF_MS };
  const pool = new WorkerPool(workers, { command, ...backOff, runTimeoutMs });
  pool.start();
  return pool;
}
