interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Clients that are remembered; of more, the one that has been silent longest is forgotten. */
const MAX_CLIENTS = 10_000;

/** A token bucket for each client: `rate` requests a second on average, `burst` at once. */
export class RateLimiter {
  readonly #rate: number;
  readonly #burst: number;
  readonly #now: () => number;
  /** In the order of their last request. */
  readonly #buckets = new Map<string, Bucket>();

  /** `rate` > 0, `burst` >= 1; `now` in milliseconds, monotonic. */
  constructor(rate: number, burst: number, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#burst = burst;
    this.#now = now;
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token and returns 0, or returns how many seconds from now there will be one. */
  take(client: string): number {
    const now = this.#now();
    const { tokens, filledAt } = this.#buckets.get(client) ?? {
      tokens: this.#burst,
      filledAt: now,
    };
    const filled = Math.min(this.#burst, tokens + ((now - filledAt) / 1000) * this.#rate);
    const allowed = filled >= 1;
    this.#buckets.delete(client);
    this.#buckets.set(client, { tokens: allowed ? filled - 1 : filled, filledAt: now });
    if (this.#buckets.size > MAX_CLIENTS) this.#forgetOldest();
    return allowed ? 0 : (1 - filled) / this.#rate;
  }

  #forgetOldest(): void {
    const [oldest] = this.#buckets.keys();
    this.#buckets.delete(oldest);
  }
}
