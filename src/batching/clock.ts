/** Time as the batcher sees it; tests replace it. */
export interface Clock {
  /** Milliseconds, monotonic: setting the system's clock does not move it. */
  now(): number;
  /** Calls back once, after `ms` milliseconds. The function returned calls it off. */
  after(ms: number, callback: () => void): () => void;
  /** Calls back once, after the I/O events that are already waiting have been handled. */
  soon(callback: () => void): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};
