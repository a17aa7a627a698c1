export interface Ranked {
  readonly index: number;
  readonly score: number;
}

/** The `k` largest of `scores` (all of them if there are fewer), best first; equal scores in the order of their index. */
export function topK(scores: ArrayLike<number>, k: number): Ranked[] {
  const ranked: Ranked[] = Array.from(scores, (score, index) => ({ index, score }));
  ranked.sort((a, b) => b.score - a.score || a.index - b.index);
  return ranked.slice(0, k);
}
