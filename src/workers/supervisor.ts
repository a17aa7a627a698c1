import { LcqError } from '../errors.js';
import type { Answers, Question } from './messages.js';
import { type Ending, type WorkerCommand, WorkerProcess } from './worker-process.js';

export interface SupervisorOptions {
  readonly command: WorkerCommand;
  /** Wait before the first restart in ms; doubled by each that follows, up to `maxBackOffMs`. */
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
  /** A run that takes longer is taken for hung: its worker is killed. In ms. */
  readonly runTimeoutMs: number;
  readonly onCrash: (event: Crash) => void;
  readonly onRestart: (event: Restart) => void;
  readonly onReopenFailed: (path: string, error: LcqError) => void;
}

export interface Crash {
  readonly pid: number | undefined;
  readonly how: Ending;
  /** Until the next life begins. */
  readonly backOffMs: number;
}

export interface Restart {
  readonly pid: number | undefined;
  readonly sessions: number;
}

/** A worker that has lived this long was not brought down by its start: the back-off begins anew. */
const STABLE_MS = 10_000;

/** Keeps one worker process alive, and the sessions it should hold open in it. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  /** Path of each session, by its number. */
  readonly #paths = new Map<number, string>();
  /** The sessions that are open in the process that runs now. */
  readonly #open = new Set<number>();
  #process: WorkerProcess | undefined;
  #lastSession = 0;
  #failures = 0;
  #closed = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Sessions that the worker holds, or will again. */
  get load(): number {
    return this.#paths.size;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the worker. Rejects with UNAVAILABLE when it does not come up the first time. */
  async start(): Promise<void> {
    const worker = new WorkerProcess(this.#options.command);
    const bornAt = performance.now();
    this.#process = worker;
    void worker.ended.then((how) => this.#onEnd(worker, how, performance.now() - bornAt));
    await worker.start();
  }

  /** Opens a session and keeps it open over restarts. Rejects as the session's opening does. */
  async open(path: string): Promise<Answers['open'] & { readonly session: number }> {
    this.#lastSession += 1;
    const session = this.#lastSession;
    const specs = await this.#ask({ kind: 'open', session, path });
    // Only now: a model that brings the worker down while it opens is not opened again.
    this.#paths.set(session, path);
    this.#open.add(session);
    return { session, ...specs };
  }

  /** Rejects as the run does, or with UNAVAILABLE while the worker is down. */
  async run(session: number, feeds: Answers['run']): Promise<Answers['run']> {
    if (!this.#open.has(session)) throw down();
    const worker = this.#process;
    const hung = setTimeout(() => worker?.kill(), this.#options.runTimeoutMs);
    try {
      return await this.#ask({ kind: 'run', session, feeds });
    } finally {
      clearTimeout(hung);
    }
  }

  /** Closes a session, now or for all lives to come. */
  async dispose(session: number): Promise<void> {
    this.#paths.delete(session);
    if (!this.#open.delete(session)) return;
    // With the process its sessions are gone too.
    await this.#ask({ kind: 'dispose', session }).catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    await this.#process?.close();
  }

  #ask<Kind extends Question['kind']>(question: Question & { kind: Kind }): Promise<Answers[Kind]> {
    return this.#process?.ask<Kind>(question) ?? Promise.reject(down());
  }

  #onEnd({ pid }: WorkerProcess, how: Ending, livedMs: number): void {
    this.#open.clear();
    this.#process = undefined;
    if (this.#closed) return;
    this.#failures = livedMs > STABLE_MS ? 1 : this.#failures + 1;
    const { backOffMs: first, maxBackOffMs, onCrash } = this.#options;
    const backOffMs = Math.min(maxBackOffMs, first * 2 ** (this.#failures - 1));
    onCrash({ pid, how, backOffMs });
    this.#restart = setTimeout(() => void this.#revive(), backOffMs);
  }

  async #revive(): Promise<void> {
    try {
      await this.start();
    } catch {
      // Its end has been seen: the next try is under way.
      return;
    }
    const paths = [...this.#paths];
    for (const [session, path] of paths) await this.#reopen(session, path);
    this.#options.onRestart({ pid: this.pid, sessions: this.#open.size });
  }

  async #reopen(session: number, path: string): Promise<void> {
    try {
      await this.#ask({ kind: 'open', session, path });
    } catch (thrown) {
      this.#options.onReopenFailed(path, LcqError.from(thrown));
      return;
    }
    if (this.#paths.has(session)) this.#open.add(session);
    else await this.#ask({ kind: 'dispose', session }).catch(() => {});
  }
}

const down = () => new LcqError('UNAVAILABLE', 'the worker process of this model is restarting');
