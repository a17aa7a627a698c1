import type { Clock } from './clock.js';
import type { BatchingLimits } from './policy.js';

/** A decision needs this many replies, or p99 means nothing; and this much time, or it judges the limits before. */
const MIN_REPLIES = 50;
const MIN_WINDOW_MS = 250;
/** Decreases are steep and increases small, so that the target is exceeded seldom and left quickly. */
const DECREASE = 0.7;
const INCREASE_SHARE = 1 / 32;
/** Increases end below the target: between the two the limits stay. */
const COMFORT = 0.8;

/**
 * Limits that hold a p99 latency by themselves: additive increase, multiplicative decrease (as Clipper, NSDI 2017,
 * does for the batch size).
 *
 * Each limit answers for the part of the latency that it makes. Batches may grow while a run takes at most half the
 * target, as a request can come just after another batch has started and waits for two runs. The delay and the
 * capacity of the queue shrink while the whole takes too long: what a server cannot answer in time it refuses early.
 */
export class AdaptiveLimits implements BatchingLimits {
  readonly #ceilings: BatchingLimits;
  readonly #targetMs: number;
  readonly #clock: Clock;
  #totals: number[] = [];
  #runs: number[] = [];
  #windowStart: number;
  #batchSize: number;
  #delayMs = 0;
  #capacity: number;

  /** `targetMs` > 0. Starts at a quarter of the ceilings and without delay. */
  constructor(ceilings: BatchingLimits, targetMs: number, clock: Clock) {
    this.#ceilings = ceilings;
    this.#targetMs = targetMs;
    this.#clock = clock;
    this.#windowStart = clock.now();
    this.#batchSize = Math.ceil(ceilings.maxBatchSize / 4);
    this.#capacity = Math.ceil(ceilings.queueCapacity / 4);
  }

  get maxBatchSize(): number {
    return Math.floor(this.#batchSize);
  }

  get maxQueueDelayMs(): number {
    return this.#delayMs;
  }

  get queueCapacity(): number {
    return Math.floor(this.#capacity);
  }

  /** Takes in one reply: its time in the queue and in its run, in ms. */
  observe(queueMs: number, runMs: number): void {
    this.#totals.push(queueMs + runMs);
    this.#runs.push(runMs);
    const now = this.#clock.now();
    if (this.#totals.length < MIN_REPLIES || now - this.#windowStart < MIN_WINDOW_MS) return;
    this.#adjust(percentile99(this.#totals), percentile99(this.#runs));
    this.#totals = [];
    this.#runs = [];
    this.#windowStart = now;
  }

  #adjust(totalMs: number, runMs: number): void {
    const { maxBatchSize, maxQueueDelayMs, queueCapacity } = this.#ceilings;
    const run = runMs / (this.#targetMs / 2);
    const total = totalMs / this.#targetMs;
    this.#batchSize = moved(this.#batchSize, run, 1, maxBatchSize);
    this.#delayMs = moved(this.#delayMs, total, 0, maxQueueDelayMs);
    this.#capacity = moved(this.#capacity, total, 1, queueCapacity);
  }
}

/** The limit after a window in which the latency was `load` times what is allowed. */
function moved(limit: number, load: number, floor: number, ceiling: number): number {
  if (load > 1) return Math.max(floor, limit * DECREASE);
  if (load > COMFORT) return limit;
  return Math.min(ceiling, limit + ceiling * INCREASE_SHARE);
}

function percentile99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1];
}
