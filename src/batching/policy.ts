/** What bounds the queue and its batches. In adaptive mode these move, and the policy's are their ceilings. */
export interface BatchingLimits {
  /** Largest total size of a batch, >= 1. */
  readonly maxBatchSize: number;
  /** How long the oldest request may wait for others that are still being prepared, in ms, >= 0. */
  readonly maxQueueDelayMs: number;
  /** Requests that may be in preparation or queued at once, >= 1. */
  readonly queueCapacity: number;
}

/** How a model's requests are queued and joined. */
export interface BatchingPolicy extends BatchingLimits {
  /** Batches that may run at once. */
  readonly maxBatchesInFlight: number;
  /** Sizes that the model runs best at, from 1 to `maxBatchSize`; absent or empty: every size is as good. */
  readonly preferredBatchSizes?: readonly number[];
  /**
   * One request more than `queueCapacity` is refused (`reject`, the default), or waits unprepared for a place (`delay`):
   * as many again as the capacity may; beyond them all are refused.
   */
  readonly whenFull?: 'reject' | 'delay';
  /**
   * Longest run, as recent ones foretell it, that a batch may grow to, in ms: beyond some time a larger batch saves no
   * more work and only keeps everybody waiting. Absent or 0, or with preferred sizes: only the sizes count.
   */
  readonly maxRunMs?: number;
  /** Levels 1 (first) to this one; 1 when absent: no priorities. */
  readonly priorityLevels?: number;
  /** The level of a request that names none, or none of ours; the last one when absent. */
  readonly defaultPriority?: number;
  /** Queue timeout of a request that brings none, in ms; absent or 0: it waits as long as its caller does. */
  readonly defaultTimeoutMs?: number;
  /**
   * Longest wait for a run, as recent ones foretell it, that a request is let in for, in ms. One that would wait longer is
   * refused at once, unless the next batch has a place for it, it is the first behind that batch, or a full queue delays.
   * Absent or 0: only the capacity counts.
   */
  readonly maxQueueWaitMs?: number;
  /** Adaptive mode: 99 of 100 replies shall come within this time after they were queued, in ms. Absent: limits stand. */
  readonly latencyTargetMs?: number;
}

/** Why a batch was closed and run. */
export type FlushReason =
  /** The queue holds at least a full batch. */
  | 'full'
  /** It holds at least the largest preferred size. */
  | 'preferred'
  /** Nobody else is on the way: waiting longer could only cost time. */
  | 'settled'
  /** The oldest request has waited for `maxQueueDelayMs`. */
  | 'delay'
  /** The batcher is shutting down. */
  | 'drain';
