/** Looks at the repository again and again: each look begins an interval after the one before has ended. */
export class RepositoryPoller {
  readonly #look: () => Promise<void>;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `look` must not reject. */
  constructor(look: () => Promise<void>, intervalMs: number) {
    this.#look = look;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(async () => {
      await this.#look();
      this.start();
    }, this.#intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
