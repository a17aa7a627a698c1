import type { Clock } from '../../src/batching/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told otherwise. */
export class ManualClock implements Clock {
  #time = 0;
  readonly #timers = new Set<Timer>();
  readonly #soon: (() => void)[] = [];

  now(): number {
    return this.#time;
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#time + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  /** Lets promises settle and runs what was planned for soon, until nothing is left to do now. */
  async settle(): Promise<void> {
    do {
      for (const callback of this.#soon.splice(0)) callback();
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#soon.length > 0);
  }

  /** Moves the time, running the timers that come due. */
  async advance(ms: number): Promise<void> {
    this.#time += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#time || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
    await this.settle();
  }
}
