import { LcqError } from '../errors.js';

/** What a waiting request lets others know of its caller. */
export interface Waiter {
  /** Aborting takes the request out of the line. */
  readonly signal?: AbortSignal | undefined;
  /** On the batcher's clock: the request is not served after it. */
  readonly deadline?: number | undefined;
  /** From 1, served first. */
  readonly level: number;
}

export interface Place<Value, Result> {
  readonly value: Value;
  readonly size: number;
  readonly deadline: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Requests in line: level by level, within a level first come first served. They may leave at any time. */
export class WaitingLine<Value, Result> {
  readonly #levels: Place<Value, Result>[][];
  readonly #onLeave: () => void;
  #size = 0;
  #nextDeadline = Infinity;

  /** `onLeave` is called when somebody gives up. */
  constructor(levels: number, onLeave: () => void) {
    this.#levels = Array.from({ length: levels }, () => []);
    this.#onLeave = onLeave;
  }

  get length(): number {
    return this.#levels.reduce((total, level) => total + level.length, 0);
  }

  /** Of all together. */
  get size(): number {
    return this.#size;
  }

  /** No deadline of those in line is before this; Infinity when nobody is in line, or nobody has one. */
  get nextDeadline(): number {
    // It may still be that of somebody who has left.
    return this.length === 0 ? Infinity : this.#nextDeadline;
  }

  /** The first of each level: nobody behind it has waited longer. */
  get heads(): Place<Value, Result>[] {
    return this.#levels.flatMap((level) => level.slice(0, 1));
  }

  /** In the order in which they are served. */
  *[Symbol.iterator](): Generator<Place<Value, Result>> {
    for (const level of this.#levels) yield* level;
  }

  /** Joins the line; settles when the place taken is resolved or rejected, or rejects with CANCELLED on abort. */
  join(value: Value, size: number, waiter: Waiter): Promise<Result> {
    const { signal, deadline = Infinity, level } = waiter;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#remove(place, level);
        place.reject(new LcqError('CANCELLED', 'the request was cancelled'));
        this.#onLeave();
      };
      const settled = () => signal?.removeEventListener('abort', onAbort);
      const place: Place<Value, Result> = {
        value,
        size,
        deadline,
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort);
      this.#levels[level - 1].push(place);
      this.#size += size;
      this.#nextDeadline = Math.min(this.#nextDeadline, deadline);
    });
  }

  /** Takes the first `count` out, to be settled by the taker. */
  take(count: number): Place<Value, Result>[] {
    const taken: Place<Value, Result>[] = [];
    for (const level of this.#levels) taken.push(...level.splice(0, count - taken.length));
    for (const { size } of taken) this.#size -= size;
    return taken;
  }

  /** Refuses those whose deadline has passed. */
  dropExpired(now: number): void {
    if (this.#nextDeadline > now) return;
    const late = [...this].filter(({ deadline }) => deadline <= now);
    this.#levels.forEach((level, i) => {
      this.#levels[i] = level.filter(({ deadline }) => deadline > now);
    });
    this.#nextDeadline = Infinity;
    for (const { deadline } of this) this.#nextDeadline = Math.min(this.#nextDeadline, deadline);
    for (const place of late) {
      this.#size -= place.size;
      place.reject(expired());
    }
  }

  #remove(place: Place<Value, Result>, level: number): void {
    const line = this.#levels[level - 1];
    const index = line.indexOf(place);
    if (index < 0) return;
    line.splice(index, 1);
    this.#size -= place.size;
  }
}

export const expired = () => new LcqError('DEADLINE_EXCEEDED', 'Request timeout expired');
