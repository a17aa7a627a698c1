/** A class that a detector sees at one place, before its box is worked out. */
export interface Candidate {
  readonly score: number;
  /** Row of the detector's output. */
  readonly cell: number;
  /** Index of the class. */
  readonly index: number;
}

const byScore = (a: Candidate, b: Candidate): number => b.score - a.score;

/**
 * Keeps the best of a stream of candidates, in memory bounded by the capacity however many there are.
 *
 * Equal scores rank in the order in which they were offered.
 */
export class TopCandidates {
  readonly #capacity: number;
  readonly #threshold: number;
  readonly #kept: Candidate[] = [];
  /** Scores up to this one cannot be among the best any more. */
  #floor = -Infinity;

  /** @param threshold the lowest score that is kept */
  constructor(capacity: number, threshold: number) {
    this.#capacity = capacity;
    this.#threshold = threshold;
  }

  offer(score: number, cell: number, index: number): void {
    // Written so that NaN is refused.
    if (!(score >= this.#threshold && score > this.#floor)) return;
    this.#kept.push({ score, cell, index });
    if (this.#kept.length >= 2 * this.#capacity) this.#prune();
  }

  /** Best first, at most `capacity`. */
  ranked(): readonly Candidate[] {
    this.#prune();
    return this.#kept;
  }

  #prune(): void {
    this.#kept.sort(byScore);
    if (this.#kept.length < this.#capacity) return;
    this.#kept.length = this.#capacity;
    this.#floor = this.#kept[this.#capacity - 1].score;
  }
}
