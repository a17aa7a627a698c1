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
    const latest = ms / ahead;
    this.#msPerRequest ??= latest;
    this.#msPerRequest += WEIGHT * (latest - this.#msPerRequest);
  }

  /** The wait in ms behind `ahead` others; 0 before anybody has waited. */
  foretell(ahead: number): number {
    return ahead * (this.#msPerRequest ?? 0);
  }
}
