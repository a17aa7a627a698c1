/** Time as the batcher sees it; tests replace it. */
export interface Clock {
  /** Milliseconds, monotonic: setting the system's clock does not move it. */
  now(): number;
  /** Calls back once, after `ms` milliseconds or 24 days. The function returned calls it off. */
  after(ms: number, callback: () => void): () => void;
  /** Calls back once, after the I/O events that are already waiting have been handled. */
  soon(callback: () => void): void;
}

/** Longer ones would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};
