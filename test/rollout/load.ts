import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { arrivals } from '../../loadtest/arrivals.js';
import { seededRandom } from '../../loadtest/random.js';

/** One request; resolves to the version of the model that answered, or rejects. */
export type Call = () => Promise<string>;

/** What became of the requests of one door. */
export interface Count {
  sent: number;
  failed: number;
  /** Replies by the version of the model. */
  readonly versions: Record<string, number>;
  /** Failures by their message. */
  readonly failures: Record<string, number>;
}

/** Longer than any rehearsal. */
const SECONDS = 3600;

/** Open-loop load: callers who do not wait for one another, evenly over the doors. */
export class Load {
  readonly counts: Readonly<Record<string, Count>>;
  readonly #waiting = new Set<Promise<void>>();
  readonly #sending: Promise<void>;
  #stopped = false;

  /** `rate` is in requests a second, of all doors together. */
  constructor(calls: Readonly<Record<string, Call>>, rate: number) {
    const none = () => ({ sent: 0, failed: 0, versions: {}, failures: {} });
    this.counts = Object.fromEntries(Object.keys(calls).map((door) => [door, none()]));
    this.#sending = this.#send(calls, rate);
  }

  get sent(): number {
    return Object.values(this.counts).reduce((total, { sent }) => total + sent, 0);
  }

  /** Sends no more and resolves when all is answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#sending;
    await Promise.all(this.#waiting);
  }

  async #send(calls: Readonly<Record<string, Call>>, rate: number): Promise<void> {
    const doors = Object.keys(calls);
    const random = seededRandom(1);
    const start = performance.now();
    for (const at of arrivals([{ seconds: SECONDS, rate }], random)) {
      const early = start + at - performance.now();
      await (early > 1 ? sleep(early) : setImmediate());
      if (this.#stopped) return;
      const door = doors[Math.floor(random() * doors.length)];
      const request = this.#follow(this.counts[door], calls[door]);
      this.#waiting.add(request);
      void request.then(() => this.#waiting.delete(request));
    }
  }

  async #follow(count: Count, call: Call): Promise<void> {
    count.sent += 1;
    try {
      const version = await call();
      count.versions[version] = (count.versions[version] ?? 0) + 1;
    } catch (error) {
      const { message } = error as Error;
      count.failed += 1;
      count.failures[message] = (count.failures[message] ?? 0) + 1;
    }
  }
}
