/** The share of the latest run in the average. */
const WEIGHT = 1 / 8;

/** How long runs have taken lately for each item of their batch: a moving average. */
export class RunTimes {
  #msPerItem: number | undefined;

  /** Takes in a run of `size` >= 1 items that took `ms`. */
  observe(size: number, ms: number): void {
    this.#msPerItem ??= ms / size;
    this.#msPerItem += WEIGHT * (ms / size - this.#msPerItem);
  }

  /** The size of the largest batch that is foretold to run no longer than `ms`, at least 1; Infinity before any run. */
  sizeWithin(ms: number): number {
    if (this.#msPerItem === undefined) return Infinity;
    return Math.max(1, Math.floor(ms / this.#msPerItem));
  }
}
