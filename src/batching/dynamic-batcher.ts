import { LcqError } from '../errors.js';
import { AdaptiveLimits } from './adaptive-limits.js';
import { type Clock, systemClock } from './clock.js';
import type { BatchingLimits, BatchingPolicy, FlushReason } from './policy.js';
import { RecentWaits } from './recent-waits.js';
import { RunTimes } from './run-times.js';
import { expired, type Place, type Waiter, WaitingLine } from './waiting-line.js';

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
  /** 1 is served first; 0, absent or beyond the policy's levels: the default level. */
  readonly priority?: number | undefined;
  /** Longest time until the run starts, in ms, instead of the policy's; 0 or absent: the policy's. */
  readonly timeoutMs?: number | undefined;
}

export interface BatchedReply<Output> {
  readonly output: Output;
  readonly queueMs: number;
  readonly runMs: number;
  readonly batchSize: number;
}

interface Queued<Item> {
  readonly item: Item;
  readonly queuedAt: number;
  /** When it was let in, before it was prepared, and how many were before it then. */
  readonly admittedAt: number;
  readonly ahead: number;
}

type QueuedPlace<Item, Output> = Place<Queued<Item>, BatchedReply<Output>>;

/**
 * Joins requests that arrive together into batches: by priority, then first come first served.
 *
 * A request announces itself before it is prepared (decoded, validated). So the batcher knows who is on the way, and
 * a lone request is run at once while a crowd is gathered: the queue delay is only ever spent waiting for someone.
 * While as many batches run as may, arrivals accumulate, into batches that do not run for too long.
 */
export class DynamicBatcher<Item, Output> {
  readonly #policy: BatchingPolicy;
  readonly #work: BatchWork<Item, Output>;
  readonly #clock: Clock;
  readonly #adaptive: AdaptiveLimits | undefined;
  readonly #limits: BatchingLimits;
  readonly #queue: WaitingLine<Queued<Item>, BatchedReply<Output>>;
  /** Those that a full queue keeps waiting outside, unprepared. */
  readonly #outside: WaitingLine<undefined, void>;
  readonly #recentWaits = new RecentWaits();
  readonly #runTimes = new RunTimes();
  #preparing = 0;
  #running = 0;
  #draining = false;
  #dispatchPlanned = false;
  #cancelTimer: () => void = () => {};
  readonly #idleListeners: (() => void)[] = [];

  constructor(policy: BatchingPolicy, work: BatchWork<Item, Output>, clock: Clock = systemClock) {
    const { priorityLevels = 1, latencyTargetMs } = policy;
    this.#policy = policy;
    this.#work = work;
    this.#clock = clock;
    this.#adaptive = latencyTargetMs
      ? new AdaptiveLimits(policy, latencyTargetMs, clock)
      : undefined;
    this.#limits = this.#adaptive ?? policy;
    this.#queue = new WaitingLine(priorityLevels, () => this.#planDispatch());
    this.#outside = new WaitingLine(priorityLevels, () => this.#planDispatch());
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
    const waiter = this.#waiter(caller);
    this.#throwIfGone(waiter);
    const ahead = this.depth;
    const admittedAt = this.#clock.now();
    if (this.#hasRoom()) this.#preparing += 1;
    else await this.#waitOutside(waiter);
    const item = await this.#prepared(prepare);
    this.#throwIfGone(waiter);
    const queued = { item, queuedAt: this.#clock.now(), admittedAt, ahead };
    const reply = this.#queue.join(queued, this.#work.size(item), waiter);
    this.#planDispatch();
    return reply;
  }

  /** Throws what `submit` would reject with if there is no room at the moment: before anything is spent on a request. */
  refuseIfFull(): void {
    this.#hasRoom();
  }

  /** Refuses new requests, runs what is queued without delay, and resolves when nothing is left. */
  async drain(): Promise<void> {
    this.#draining = true;
    await new Promise<void>((resolve) => {
      this.#idleListeners.push(resolve);
      this.#planDispatch();
    });
  }

  #waiter({ signal, deadline = Infinity, priority = 0, timeoutMs }: Caller) {
    const { priorityLevels: levels = 1, defaultPriority = levels, defaultTimeoutMs } = this.#policy;
    const timeout = timeoutMs || defaultTimeoutMs || Infinity;
    const level = priority >= 1 && priority <= levels ? priority : defaultPriority;
    return { signal, level, deadline: Math.min(deadline, this.#clock.now() + timeout) };
  }

  async #waitOutside(waiter: Waiter): Promise<void> {
    const letIn = this.#outside.join(undefined, 1, waiter);
    // For its deadline.
    this.#planDispatch();
    await letIn;
  }

  /** Whether there is room in the queue; if not, throws unless a place outside may be taken. */
  #hasRoom(): boolean {
    if (this.#draining) {
      throw new LcqError(
        'UNAVAILABLE',
        'Server is stopping, scheduler for model has stopped accepting new inference requests',
      );
    }
    const { queueCapacity } = this.#limits;
    const mayWait = this.#policy.whenFull === 'delay';
    // Who waits outside goes first.
    if (this.#outside.length === 0 && this.depth < queueCapacity) {
      if (mayWait || this.#willRunInTime()) return true;
    } else if (mayWait && this.#outside.length < queueCapacity) return false;
    throw new LcqError('RESOURCE_EXHAUSTED', 'Exceeds maximum queue size');
  }

  /**
   * There is a place in the next batch, or the wait for a later one is foretold to be short enough. One is let in behind
   * the next batch in any case: whoever waits for another batch can tell how long that takes by now.
   */
  #willRunInTime(): boolean {
    const { maxQueueWaitMs } = this.#policy;
    if (!maxQueueWaitMs || this.depth <= this.#batchLimit) return true;
    return this.#recentWaits.foretell(this.depth) <= maxQueueWaitMs;
  }

  #observeWait(ahead: number, ms: number): void {
    if (ahead >= this.#batchLimit) this.#recentWaits.observe(ahead, ms);
    else if (ahead > 0) this.#recentWaits.observeAtMost(ahead, ms);
  }

  async #prepared(prepare: () => Promise<Item>): Promise<Item> {
    try {
      return await prepare();
    } finally {
      this.#preparing -= 1;
      // Also when it failed: those who waited for this one need wait no longer.
      this.#planDispatch();
    }
  }

  #throwIfGone({ signal, deadline }: { signal: AbortSignal | undefined; deadline: number }): void {
    if (signal?.aborted) throw new LcqError('CANCELLED', 'the request was cancelled');
    if (this.#clock.now() >= deadline) throw expired();
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
    const now = this.#clock.now();
    this.#queue.dropExpired(now);
    this.#outside.dropExpired(now);
    let next = Infinity;
    while (this.#queue.length > 0 && this.#running < this.#policy.maxBatchesInFlight) {
      const reason = this.#flushReason();
      if (reason === undefined) {
        next = now + this.#limits.maxQueueDelayMs - this.#longestWait();
        break;
      }
      void this.#launch(this.#takeBatch(), reason);
    }
    this.#letIn();
    this.#dispatchAt(Math.min(next, this.#queue.nextDeadline, this.#outside.nextDeadline));
    if (this.depth === 0 && this.#running === 0) {
      for (const listener of this.#idleListeners.splice(0)) listener();
    }
  }

  /** Also for deadlines: who is late is told so then, not when the run at hand ends. */
  #dispatchAt(time: number): void {
    if (time === Infinity) return;
    const remaining = Math.max(0, time - this.#clock.now());
    this.#cancelTimer = this.#clock.after(remaining, () => this.#dispatch());
  }

  /** Gives the places that have become free to those outside. */
  #letIn(): void {
    const room = Math.min(this.#outside.length, this.#limits.queueCapacity - this.depth);
    if (room <= 0) return;
    for (const place of this.#outside.take(room)) {
      this.#preparing += 1;
      place.resolve();
    }
  }

  #flushReason(): FlushReason | undefined {
    const queued = this.#queue.size;
    if (queued >= this.#batchLimit) return 'full';
    const preferred = this.#preferredSizes();
    if (preferred.length > 0 && queued >= Math.max(...preferred)) return 'preferred';
    if (this.#draining) return 'drain';
    if (this.#preparing === 0) return 'settled';
    return this.#longestWait() >= this.#limits.maxQueueDelayMs ? 'delay' : undefined;
  }

  /** Preferred sizes are the operator's word: times do not change them. */
  get #batchLimit(): number {
    const { maxBatchSize } = this.#limits;
    const { maxRunMs, preferredBatchSizes = [] } = this.#policy;
    if (!maxRunMs || preferredBatchSizes.length > 0) return maxBatchSize;
    return Math.min(maxBatchSize, this.#runTimes.sizeWithin(maxRunMs));
  }

  #longestWait(): number {
    const since = this.#queue.heads.map(({ value }) => value.queuedAt);
    return this.#clock.now() - Math.min(...since);
  }

  #preferredSizes(): readonly number[] {
    const { preferredBatchSizes = [] } = this.#policy;
    return preferredBatchSizes.filter((size) => size <= this.#limits.maxBatchSize);
  }

  /** As many from the head of the queue as fit into the largest preferred size there is; the first always does. */
  #takeBatch(): QueuedPlace<Item, Output>[] {
    const queued = this.#queue.size;
    const reached = this.#preferredSizes().filter((size) => size <= queued);
    const limit = reached.length > 0 ? Math.max(...reached) : this.#batchLimit;
    let size = 0;
    let count = 0;
    for (const place of this.#queue) {
      size += place.size;
      if (size > limit && count > 0) break;
      count += 1;
    }
    return this.#queue.take(count);
  }

  async #launch(batch: readonly QueuedPlace<Item, Output>[], reason: FlushReason): Promise<void> {
    const startedAt = this.#clock.now();
    const batchSize = batch.reduce((total, { size }) => total + size, 0);
    this.#running += 1;
    for (const { value } of batch) this.#observeWait(value.ahead, startedAt - value.admittedAt);
    this.#work.onBatch?.(batchSize, reason);
    const run = this.#work.run(batch.map(({ value }) => value.item));
    const [outcome] = await Promise.allSettled([run]);
    const runMs = this.#clock.now() - startedAt;
    this.#running -= 1;
    if (outcome.status === 'fulfilled') this.#runTimes.observe(batchSize, runMs);
    // The next batch goes first: the model need not wait until the replies of this one are written.
    this.#dispatch();
    batch.forEach(({ value, resolve, reject }, i) => {
      if (outcome.status === 'rejected') {
        reject(outcome.reason);
        return;
      }
      const queueMs = startedAt - value.queuedAt;
      resolve({ output: outcome.value[i], queueMs, runMs, batchSize });
      this.#adaptive?.observe(queueMs, runMs);
    });
  }
}
