/** A stretch of time with one rate of arrivals. */
export interface Phase {
  readonly seconds: number;
  /** Mean arrivals a second, > 0. */
  readonly rate: number;
}

/**
 * Arrivals of independent callers, in ms from the start: a Poisson process whose rate changes from phase to phase.
 *
 * Independent callers do not wait for one another's replies, so neither do these times: that is what makes a load open.
 * `random` yields numbers in [0, 1).
 */
export function* arrivals(phases: readonly Phase[], random: () => number): Generator<number> {
  let start = 0;
  for (const { seconds, rate } of phases) {
    const end = start + seconds * 1000;
    // The process has no memory: each phase may begin it anew.
    let at = start;
    while (true) {
      at += (-Math.log(1 - random()) / rate) * 1000;
      if (at >= end) break;
      yield at;
    }
    start = end;
  }
}

/** In ms. */
export const durationOf = (phases: readonly Phase[]): number =>
  phases.reduce((total, { seconds }) => total + seconds * 1000, 0);
