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
  readonly deadline: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Requests in line: level by level, within a level first come first served. They may leave at any time. */
export class WaitingLine<Value, Result> {
  readonly #levels: Place<Value, Result>[][];
  readonly #onLeave: () => void;

  /** `onLeave` is called when somebody gives up. */
  constructor(levels: number, onLeave: () => void) {
    this.#levels = Array.from({ length: levels }, () => []);
    this.#onLeave = onLeave;
  }

  get length(): number {
    return this.#levels.reduce((total, level) => total + level.length, 0);
  }

  /** In the order in which they are served. */
  *[Symbol.iterator](): Generator<Place<Value, Result>> {
    for (const level of this.#levels) yield* level;
  }

  /** Joins the line; settles when the place taken is resolved or rejected, or rejects with CANCELLED on abort. */
  join(value: Value, { signal, deadline = Infinity, level }: Waiter): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#remove(place, level);
        place.reject(new LcqError('CANCELLED', 'the request was cancelled'));
        this.#onLeave();
      };
      const settled = () => signal?.removeEventListener('abort', onAbort);
      const place: Place<Value, Result> = {
        value,
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
    });
  }

  /** Takes the first `count` out, to be settled by the taker. */
  take(count: number): Place<Value, Result>[] {
    const taken: Place<Value, Result>[] = [];
    for (const level of this.#levels) taken.push(...level.splice(0, count - taken.length));
    return taken;
  }

  /** Refuses those whose deadline has passed. */
  dropExpired(now: number): void {
    this.#levels.forEach((level, i) => {
      if (!level.some(({ deadline }) => deadline <= now)) return;
      this.#levels[i] = level.filter(({ deadline }) => deadline > now);
      for (const place of level) if (place.deadline <= now) place.reject(expired());
    });
  }

  #remove(place: Place<Value, Result>, level: number): void {
    const line = this.#levels[level - 1];
    const index = line.indexOf(place);
    if (index >= 0) line.splice(index, 1);
  }
}

export const expired = () => new LcqError('DEADLINE_EXCEEDED', 'Request timeout expired');
