import { LcqError } from '../errors.js';
import { type Clock, systemClock } from './clock.js';

/** Why a batch was closed and run. */
export type FlushReason =
  /** The queue holds at least a full batch. */
  | 'full'
  /** Nobody else is on the way: waiting longer could only cost time. */
  | 'settled'
  /** The oldest request has waited for `maxQueueDelayMs`. */
  | 'delay'
  /** The batcher is shutting down. */
  | 'drain';

export const FLUSH_REASONS: readonly FlushReason[] = ['full', 'settled', 'delay', 'drain'];

export interface BatchingPolicy {
  /** Largest total size of a batch, >= 1. */
  readonly maxBatchSize: number;
  /** How long the oldest request may wait for others that are still being prepared, in ms, >= 0. */
  readonly maxQueueDelayMs: number;
  /** Requests that may be in preparation or queued at once; one more is refused. */
  readonly queueCapacity: number;
  /** Batches that may run at once. */
  readonly maxBatchesInFlight: number;
}

/** What the batcher must know of the work: how large an item is, and how to run a batch of them. */
export interface BatchWork<Item, Output> {
  /** From 1 to `maxBatchSize`. */
  size(item: Item): number;
  /** Resolves to one output for each item, in order. */
  run(items: readonly Item[]): Promise<readonly Output[]>;
  /** Called when a batch starts. */
  onBatch?(size: number, reason: FlushReason): void;
}

export interface Caller {
  /** Aborting takes a request out of the queue; of one that is running, only the reply is dropped. */
  readonly signal?: AbortSignal | undefined;
  /** On the batcher's clock: a request that has not started by then is not run. */
  readonly deadline?: number | undefined;
}

export interface BatchedReply<Output> {
  readonly output: Output;
  readonly queueMs: number;
  readonly runMs: number;
  readonly batchSize: number;
}

interface Waiting<Item, Output> {
  readonly item: Item;
  readonly size: number;
  readonly queuedAt: number;
  readonly deadline: number;
  resolve(reply: BatchedReply<Output>): void;
  reject(error: unknown): void;
}

/**
 * Joins requests that arrive together into batches, first come first served.
 *
 * A request announces itself before it is prepared (decoded, validated). So the batcher knows who is on the way, and
 * a lone request is run at once while a crowd is gathered: the queue delay is only ever spent waiting for someone.
 * While as many batches run as may, arrivals accumulate.
 */
export class DynamicBatcher<Item, Output> {
  readonly #policy: BatchingPolicy;
  readonly #work: BatchWork<Item, Output>;
  readonly #clock: Clock;
  readonly #queue: Waiting<Item, Output>[] = [];
  #preparing = 0;
  #running = 0;
  #draining = false;
  #dispatchPlanned = false;
  #cancelTimer: () => void = () => {};
  readonly #idleListeners: (() => void)[] = [];

  constructor(policy: BatchingPolicy, work: BatchWork<Item, Output>, clock: Clock = systemClock) {
    this.#policy = policy;
    this.#work = work;
    this.#clock = clock;
  }

  /** Requests admitted and not yet running. */
  get depth(): number {
    return this.#preparing + this.#queue.length;
  }

  /**
   * Prepares an item, queues it and resolves once the batch it travelled in has run.
   *
   * Rejects with what `prepare` or the run rejected with, or with RESOURCE_EXHAUSTED (queue full), UNAVAILABLE
   * (draining), CANCELLED, DEADLINE_EXCEEDED.
   */
  async submit(prepare: () => Promise<Item>, caller: Caller = {}): Promise<BatchedReply<Output>> {
    this.#admit();
    this.#throwIfGone(caller);
    const item = await this.#announced(prepare);
    this.#throwIfGone(caller);
    return this.#enqueue(item, caller);
  }

  /** Refuses new requests, runs what is queued without delay, and resolves when nothing is left. */
  async drain(): Promise<void> {
    this.#draining = true;
    await new Promise<void>((resolve) => {
      this.#idleListeners.push(resolve);
      this.#planDispatch();
    });
  }

  #admit(): void {
    if (this.#draining) {
      throw new LcqError(
        'UNAVAILABLE',
        'Server is stopping, scheduler for model has stopped accepting new inference requests',
      );
    }
    if (this.depth >= this.#policy.queueCapacity) {
      throw new LcqError('RESOURCE_EXHAUSTED', 'Exceeds maximum queue size');
    }
  }

  async #announced(prepare: () => Promise<Item>): Promise<Item> {
    this.#preparing += 1;
    try {
      return await prepare();
    } finally {
      this.#preparing -= 1;
      // Also when it failed: those who waited for this one need wait no longer.
      this.#planDispatch();
    }
  }

  #throwIfGone({ signal, deadline }: Caller): void {
    if (signal?.aborted) throw new LcqError('CANCELLED', 'the request was cancelled');
    if (deadline !== undefined && this.#clock.now() >= deadline) throw expired();
  }

  #enqueue(item: Item, { signal, deadline = Infinity }: Caller): Promise<BatchedReply<Output>> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const place = this.#queue.indexOf(waiting);
        if (place >= 0) this.#queue.splice(place, 1);
        waiting.reject(new LcqError('CANCELLED', 'the request was cancelled'));
        this.#planDispatch();
      };
      const settled = () => signal?.removeEventListener('abort', onAbort);
      const waiting: Waiting<Item, Output> = {
        item,
        size: this.#work.size(item),
        queuedAt: this.#clock.now(),
        deadline,
        resolve: (reply) => {
          settled();
          resolve(reply);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort);
      this.#queue.push(waiting);
      this.#planDispatch();
    });
  }

  /** Dispatching waits for the I/O at hand, so that requests of one moment find each other. */
  #planDispatch(): void {
    if (this.#dispatchPlanned) return;
    this.#dispatchPlanned = true;
    this.#clock.soon(() => {
      this.#dispatchPlanned = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    this.#cancelTimer();
    this.#dropExpired();
    while (this.#queue.length > 0 && this.#running < this.#policy.maxBatchesInFlight) {
      const reason = this.#flushReason();
      if (reason === undefined) {
        const waited = this.#clock.now() - this.#queue[0].queuedAt;
        const remaining = this.#policy.maxQueueDelayMs - waited;
        this.#cancelTimer = this.#clock.after(remaining, () => this.#dispatch());
        return;
      }
      void this.#launch(this.#takeBatch(), reason);
    }
    if (this.depth === 0 && this.#running === 0) {
      for (const listener of this.#idleListeners.splice(0)) listener();
    }
  }

  #dropExpired(): void {
    const now = this.#clock.now();
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      if (this.#queue[i].deadline <= now) this.#queue.splice(i, 1)[0].reject(expired());
    }
  }

  #flushReason(): FlushReason | undefined {
    const queued = this.#queue.reduce((total, waiting) => total + waiting.size, 0);
    if (queued >= this.#policy.maxBatchSize) return 'full';
    if (this.#draining) return 'drain';
    if (this.#preparing === 0) return 'settled';
    const waited = this.#clock.now() - this.#queue[0].queuedAt;
    return waited >= this.#policy.maxQueueDelayMs ? 'delay' : undefined;
  }

  /** As many from the head of the queue as fit; the first always does. */
  #takeBatch(): Waiting<Item, Output>[] {
    let size = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      size += waiting.size;
      if (size > this.#policy.maxBatchSize) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #launch(batch: readonly Waiting<Item, Output>[], reason: FlushReason): Promise<void> {
    const startedAt = this.#clock.now();
    const batchSize = batch.reduce((total, waiting) => total + waiting.size, 0);
    this.#running += 1;
    this.#work.onBatch?.(batchSize, reason);
    try {
      const outputs = await this.#work.run(batch.map((waiting) => waiting.item));
      const runMs = this.#clock.now() - startedAt;
      batch.forEach((waiting, i) => {
        const queueMs = startedAt - waiting.queuedAt;
        waiting.resolve({ output: outputs[i], queueMs, runMs, batchSize });
      });
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#running -= 1;
      this.#planDispatch();
    }
  }
}

const expired = () => new LcqError('DEADLINE_EXCEEDED', 'Request timeout expired');
