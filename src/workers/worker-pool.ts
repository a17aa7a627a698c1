import { EventEmitter } from 'node:events';
import type { ModelFile } from '../runtime/model-file.js';
import type { ModelSession, Trial } from '../runtime/session.js';
import { Supervisor, type SupervisorOptions, type WorkerEvents } from './supervisor.js';

/** Sessions in supervised processes: a crash in native code takes down one of them, never the server. */
export class WorkerPool extends EventEmitter<WorkerEvents> {
  readonly #workers: readonly Supervisor[];
  #started: Promise<unknown> | undefined;

  /** `count` >= 1. */
  constructor(count: number, options: SupervisorOptions) {
    super();
    this.#workers = Array.from({ length: count }, () => new Supervisor(options, this));
  }

  /** Process ids of the workers that run. */
  get pids(): number[] {
    return this.#workers.flatMap(({ pid }) => pid ?? []);
  }

  /** Starts the workers, which takes a while: what is opened waits for them. One that fails is started again later. */
  start(): void {
    this.#started = Promise.allSettled(this.#workers.map((worker) => worker.start()));
  }

  /**
   * Opens a model in the worker that holds the fewest of those that are up, or will be up. In a worker that restarts
   * the session is opened again from the same content, and passes the trial again before it takes requests.
   *
   * Rejects as the session's opening and its trial do, and with UNAVAILABLE when no worker is up and the next start fails
   * too, or after `stopOpening`.
   */
  async open(file: ModelFile, trial: Trial): Promise<ModelSession> {
    if (this.#started === undefined) this.start();
    await this.#started;
    const up = this.#workers.filter(({ isUp }) => isUp);
    const candidates = up.length > 0 ? up : this.#workers;
    const worker = candidates.reduce((least, each) => (each.load < least.load ? each : least));
    const { session, inputs, outputs, layers } = await worker.open(file, trial);
    return {
      inputs,
      outputs,
      layers,
      run: (feeds) => worker.run(session, feeds),
      isOpen: () => worker.isOpen(session),
      dispose: () => worker.dispose(session),
    };
  }

  /** Opens nothing more, also of what waits for that; what is open goes on. */
  stopOpening(): void {
    for (const worker of this.#workers) worker.stopOpening();
  }

  /** Ends all workers; what they still run is answered with UNAVAILABLE. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}
