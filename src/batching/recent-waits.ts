/** The share of the latest wait in the average. */
const WEIGHT = 1 / 32;

/**
 * How long requests have waited lately for each one that was ahead of them: a moving average. Whatever they wait for
 * (decoding, runs, cores that others use), so long is the wait of the next (Little's law).
 */
export class RecentWaits {
  #msPerRequest: number | undefined;

  /** Takes in a request that had `ahead` >= 1 others before it and waited for `ms`. */
  observe(ahead: number, ms: number): void {
    this.#observe(ms / ahead);
  }

  /**
   * The same of a request that waited mostly for something else, such as the run at hand: it tells only that the wait for
   * each one ahead was no longer than this. So an average from a time when all was slow does not stay for good, when it
   * keeps out those who would have told better.
   */
  observeAtMost(ahead: number, ms: number): void {
    if (this.#msPerRequest !== undefined && ms / ahead < this.#msPerRequest) {
      this.#observe(ms / ahead);
    }
  }

  /** The wait in ms behind `ahead` others; 0 before anybody has waited. */
  foretell(ahead: number): number {
    return ahead * (this.#msPerRequest ?? 0);
  }

  #observe(latest: number): void {
    this.#msPerRequest ??= latest;
    this.#msPerRequest += WEIGHT * (latest - this.#msPerRequest);
  }
}
