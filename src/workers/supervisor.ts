import type { EventEmitter } from 'node:events';
import { LcqError, stopping } from '../errors.js';
import type { ModelFile } from '../runtime/model-file.js';
import type { Trial } from '../runtime/session.js';
import type { Answers, Question } from './messages.js';
import { type Ending, type WorkerCommand, WorkerProcess } from './worker-process.js';

export interface SupervisorOptions {
  readonly command: WorkerCommand;
  /** Wait before the first restart in ms; doubled by each that follows, up to `maxBackOffMs`. */
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
  /** A run that takes longer is taken for hung: its worker is killed. In ms. */
  readonly runTimeoutMs: number;
}

/** What there is to hear of workers, by the name of the event. */
export interface WorkerEvents {
  readonly crash: [event: Crash];
  readonly restart: [event: Restart];
  /** The file of a session that a restarted worker could not open again, and why. */
  readonly reopenFailed: [path: string, error: LcqError];
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

/** A session that the worker should hold. */
interface Held {
  readonly file: ModelFile;
  readonly trial: Trial;
  /** In the process that runs now it is open, and warm; or why it is not. */
  state: 'open' | LcqError;
}

/** A worker that has lived this long was not brought down by its start: the back-off begins anew. */
const STABLE_MS = 10_000;

/** Keeps one worker process alive, and the sessions it should hold open in it. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #events: EventEmitter<WorkerEvents>;
  readonly #held = new Map<number, Held>();
  /** Openings that wait for the next start: told when it is over, and why it failed if it did. */
  readonly #waiting: ((failure?: LcqError) => void)[] = [];
  #process: WorkerProcess | undefined;
  #isUp = false;
  #lastSession = 0;
  #failures = 0;
  #isStopping = false;
  #closed = false;
  /** Of the next restart, or of the next try to open again what could not be. */
  #next: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions, events: EventEmitter<WorkerEvents>) {
    this.#options = options;
    this.#events = events;
  }

  /** Sessions that the worker holds, or will again. */
  get load(): number {
    return this.#held.size;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether the worker takes requests. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Starts the worker. Rejects with UNAVAILABLE when it does not come up this time: it is tried again later. */
  async start(): Promise<WorkerProcess> {
    const worker = new WorkerProcess(this.#options.command);
    const bornAt = performance.now();
    this.#process = worker;
    void worker.ended.then((how) => this.#onEnd(worker, how, performance.now() - bornAt));
    try {
      await worker.start();
    } catch (error) {
      this.#tellWaiting(LcqError.from(error));
      throw error;
    }
    this.#isUp = true;
    this.#tellWaiting();
    return worker;
  }

  /**
   * Opens a session and keeps it open over restarts, warm. While the worker is down it waits for the next start. Rejects
   * as the session's opening and its trial do, and with UNAVAILABLE when that start fails or the server stops.
   */
  async open(
    file: ModelFile,
    trial: Trial,
  ): Promise<Answers['open'] & { readonly session: number }> {
    if (this.#isStopping) throw stopping();
    if (!this.#isUp) await this.#nextStart();
    this.#lastSession += 1;
    const session = this.#lastSession;
    const specs = await this.#open(this.#process, session, file, trial);
    // Only now: a model that brings the worker down while it opens is not opened again.
    this.#held.set(session, { file, trial, state: 'open' });
    return { session, ...specs };
  }

  /** Whether the session takes runs at the moment: neither is the worker down, nor could it not be opened again. */
  isOpen(session: number): boolean {
    return this.#held.get(session)?.state === 'open';
  }

  /** Rejects as the run does, or with UNAVAILABLE while the worker is down or the session cannot be opened again. */
  async run(session: number, feeds: Answers['run']): Promise<Answers['run']> {
    const state = this.#held.get(session)?.state ?? closed();
    if (state !== 'open') throw state;
    const worker = this.#process;
    return this.#inTime(worker, this.#ask(worker, { kind: 'run', session, feeds }));
  }

  /** Closes a session, now or for all lives to come. */
  async dispose(session: number): Promise<void> {
    const isOpen = this.isOpen(session);
    this.#held.delete(session);
    if (isOpen) await this.#forget(this.#process, session);
  }

  /** Opens nothing more, also of what waits for that; what is open goes on. */
  stopOpening(): void {
    this.#isStopping = true;
    this.#tellWaiting(stopping());
  }

  async close(): Promise<void> {
    this.stopOpening();
    this.#closed = true;
    clearTimeout(this.#next);
    await this.#process?.close();
  }

  #nextStart(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push((failure) => (failure ? reject(failure) : resolve()));
    });
  }

  #tellWaiting(failure?: LcqError): void {
    for (const tell of this.#waiting.splice(0)) tell(failure);
  }

  #ask<Kind extends Question['kind']>(
    worker: WorkerProcess | undefined,
    question: Question & { kind: Kind },
  ): Promise<Answers[Kind]> {
    return worker?.ask<Kind>(question) ?? Promise.reject(down());
  }

  /** The session is closed again when it does not pass. */
  async #open(
    worker: WorkerProcess | undefined,
    session: number,
    file: ModelFile,
    trial: Trial,
  ): Promise<Answers['open']> {
    const opened = this.#ask(worker, { kind: 'open', session, file });
    // All asked for in one go: while a server starts its event loop has no time for an answer in between.
    const runs = trial.warmUp().map((feeds) => this.#ask(worker, { kind: 'run', session, feeds }));
    const warm = Promise.all(runs);
    warm.catch(() => {});
    const specs = await opened;
    try {
      trial.check(specs);
      await this.#inTime(worker, warm);
    } catch (error) {
      await this.#forget(worker, session);
      throw error;
    }
    return specs;
  }

  /** A run that takes too long ends its worker. */
  async #inTime<T>(worker: WorkerProcess | undefined, run: Promise<T>): Promise<T> {
    const hung = setTimeout(() => worker?.kill(), this.#options.runTimeoutMs);
    try {
      return await run;
    } finally {
      clearTimeout(hung);
    }
  }

  /** With the process its sessions are gone too. */
  async #forget(worker: WorkerProcess | undefined, session: number): Promise<void> {
    await this.#ask(worker, { kind: 'dispose', session }).catch(() => {});
  }

  #onEnd({ pid }: WorkerProcess, how: Ending, livedMs: number): void {
    for (const held of this.#held.values()) held.state = down();
    this.#process = undefined;
    this.#isUp = false;
    clearTimeout(this.#next);
    if (this.#closed) return;
    this.#failures = livedMs > STABLE_MS ? 1 : this.#failures + 1;
    const { backOffMs: first, maxBackOffMs } = this.#options;
    const backOffMs = Math.min(maxBackOffMs, first * 2 ** (this.#failures - 1));
    this.#events.emit('crash', { pid, how, backOffMs });
    this.#next = setTimeout(() => void this.#revive(), backOffMs);
  }

  async #revive(): Promise<void> {
    let worker: WorkerProcess;
    try {
      worker = await this.start();
    } catch {
      // Its end has been seen: the next try is under way.
      return;
    }
    await this.#reopen(worker);
    if (worker !== this.#process) return;
    const open = [...this.#held.values()].filter(({ state }) => state === 'open');
    this.#events.emit('restart', { pid: worker.pid, sessions: open.length });
  }

  /** Opens what is not open, and tries again later what cannot be: its file may come back. */
  async #reopen(worker: WorkerProcess): Promise<void> {
    let hasFailed = false;
    for (const [session, held] of [...this.#held]) {
      if (held.state === 'open') continue;
      try {
        await this.#open(worker, session, held.file, held.trial);
        if (this.#held.has(session)) held.state = 'open';
        else await this.#forget(worker, session);
      } catch (thrown) {
        // The end of the worker is no news, and all are opened again in the next one.
        if (worker !== this.#process) return;
        hasFailed = true;
        const error = LcqError.from(thrown);
        held.state = notReopened(error);
        this.#events.emit('reopenFailed', held.file.path, error);
      }
    }
    if (!hasFailed || worker !== this.#process) return;
    this.#next = setTimeout(() => void this.#reopen(worker), this.#options.maxBackOffMs);
  }
}

const down = () => new LcqError('UNAVAILABLE', 'the worker process of this model is restarting');
const notReopened = ({ message }: LcqError) =>
  new LcqError('UNAVAILABLE', `not open since its worker process restarted: ${message}`);
const closed = () => new LcqError('UNAVAILABLE', 'the session is closed');
