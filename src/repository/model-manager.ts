import { type ErrorCode, LcqError, stopping } from '../errors.js';
import { ConcurrencyLimit } from '../image/concurrency-limit.js';
import type { ModelState, ModelVersion } from './lifecycle.js';
import { MemoryBudget, type Reservation } from './memory-budget.js';
import type { ModelRegistry } from './registry.js';
import { emptyRepository, type ModelDefinition, type ModelRepository } from './repository.js';

/** What the manager must know of a servable. */
export interface Closable {
  /** Whether it answers at the moment: what is loaded may be lost for a while, or for good. */
  readonly isOpen: boolean;
  /** Finishes what was accepted, then frees everything. */
  close(): Promise<void>;
}

export interface ModelManagerOptions<Servable extends Closable> {
  readonly repository: ModelRepository;
  readonly registry: ModelRegistry<Servable>;
  /** Opens, checks and warms up. */
  open(definition: ModelDefinition): Promise<Servable>;
  /** Undefined: no limit. */
  readonly memoryBudgetBytes: number | undefined;
  /** A load that failed without a caller to tell. */
  onFault(name: string, error: LcqError): void;
  /** Any load that failed of a model that the repository has. */
  onLoadFailed(name: string, code: ErrorCode): void;
}

/** Content that polling does not try to load again; after crashes it does, a few times. */
interface Rejection {
  readonly digest: string;
  readonly triesLeft: number;
}

/** A worker that ends during a load may have had other reasons: content is given up after this many. */
const MAX_CRASHES = 3;

/** Why a version that is loaded does not answer. */
const LOST = 'not open in its worker process';

/** The state of a version as its callers find it: what is READY and does not answer at the moment is UNAVAILABLE. */
export const stateToCallers = ({ state, servable }: ModelVersion<Closable>): ModelState =>
  servable?.isOpen === false ? 'UNAVAILABLE' : state;

/** Models that a start opens at once: enough to keep the cores busy, and few of their files in memory. */
const STARTING_AT_ONCE = 8;

/** A line of the repository index. `version` and `state` are absent of a model that was never loaded. */
export interface ModelIndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state?: ModelState;
  readonly reason: string;
}

/**
 * Makes the registry follow the repository: loads, replaces and unloads versions.
 *
 * Jobs run one after the other: two loads would take more of the cores from the models that answer. A new version or new
 * content loads while the old one answers, takes over in one step, and only then is the old one drained and closed: no
 * request is lost.
 */
export class ModelManager<Servable extends Closable> {
  readonly #options: ModelManagerOptions<Servable>;
  readonly #registry: ModelRegistry<Servable>;
  readonly #memory: MemoryBudget;
  /** What gives back the memory of each open servable. */
  readonly #releases = new Map<Servable, () => void>();
  /** Why a model's folder could not be read, by the model's name. */
  readonly #faults = new Map<string, string>();
  /** Content that failed to load, by version. */
  readonly #rejected = new Map<ModelVersion<Servable>, Rejection>();
  #lastJob: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ModelManagerOptions<Servable>) {
    this.#options = options;
    this.#registry = options.registry;
    this.#memory = new MemoryBudget(options.memoryBudgetBytes);
  }

  /**
   * Loads every model of the repository, some at once.
   *
   * Rejects if a folder cannot be read or a required model cannot be loaded, after trying all, or with NOT_FOUND if
   * there is none; what happens to other models becomes their fault.
   */
  loadAll(root: string): Promise<void> {
    return this.#inTurn(async () => {
      const names = await this.#options.repository.names();
      if (names.length === 0) throw emptyRepository(root);
      const models = await this.#readAll(names);
      for (const { definitions } of models) this.#announce(definitions);
      // Nothing is served yet that this could slow down.
      const atOnce = new ConcurrencyLimit(STARTING_AT_ONCE);
      const outcomes = await Promise.allSettled(
        models.map(({ definitions }) => atOnce.run(() => this.#reconcile(definitions))),
      );
      for (const [i, { name, definitions }] of models.entries()) {
        let outcome = outcomes[i];
        // A model that ends its worker takes those with it that open beside it: each is tried again alone.
        if (outcome.status === 'rejected' && LcqError.from(outcome.reason).code === 'UNAVAILABLE') {
          [outcome] = await Promise.allSettled([this.#reconcile(definitions)]);
        }
        if (outcome.status === 'rejected') {
          this.#fault(name, outcome.reason, definitions[0].config.required);
        }
      }
    });
  }

  /** Brings a model to what its folder holds now; what already answers from the same content is left alone. */
  load(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const definitions = await this.#read(name);
      this.#faults.delete(name);
      for (const version of this.#announce(definitions)) this.#rejected.delete(version);
      await this.#reconcile(definitions);
    });
  }

  /** Drains and closes all versions of a model. Rejects with NOT_FOUND if it was never loaded. */
  unload(name: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#registry.lookup(name);
      for (const version of this.#registry.versions(name)) await this.#retire(version);
    });
  }

  /** Follows the repository: loads what is new or changed, unloads models that are gone. Failures become faults. */
  poll(): Promise<void> {
    return this.#inTurn(async () => {
      const names = await this.#options.repository.names();
      for (const name of names) {
        try {
          const definitions = await this.#read(name);
          this.#announce(definitions);
          await this.#reconcile(definitions);
          this.#faults.delete(name);
        } catch (error) {
          this.#fault(name, error, false);
        }
      }
      const gone = this.#registry.all().filter(({ name }) => !names.includes(name));
      for (const version of gone) await this.#retire(version);
    });
  }

  /** Memory that is taken now. */
  get reservations(): readonly Reservation[] {
    return this.#memory.reservations;
  }

  /** Every version that was ever loaded, and every model of the repository that was not. */
  async index(): Promise<ModelIndexEntry[]> {
    const known = this.#registry.all();
    const loaded = known.map((entry): ModelIndexEntry => {
      const { name, version, reason } = entry;
      const state = stateToCallers(entry);
      if (state !== entry.state) return { name, version, state, reason: LOST };
      return { name, version, state, reason: reason || (this.#faults.get(name) ?? '') };
    });
    const names = await this.#options.repository.names();
    const others = names.filter((name) => known.every((version) => version.name !== name));
    const waiting = others.map((name) => ({ name, reason: this.#faults.get(name) ?? '' }));
    return [...loaded, ...waiting].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  }

  /** Takes no more jobs, and closes every servable. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#lastJob;
    await Promise.all(this.#registry.all().map((version) => this.#retire(version)));
  }

  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const turn = this.#lastJob.then(() => {
      if (!this.#closed) return job();
      throw stopping();
    });
    this.#lastJob = turn.catch(() => {});
    return turn;
  }

  async #readAll(names: readonly string[]) {
    return Promise.all(names.map(async (name) => ({ name, definitions: await this.#read(name) })));
  }

  async #read(name: string): Promise<ModelDefinition[]> {
    const { repository, onLoadFailed } = this.#options;
    try {
      return await repository.read(name);
    } catch (thrown) {
      // Callers may ask for anything.
      const names = await repository.names().catch((): string[] => []);
      if (names.includes(name)) onLoadFailed(name, LcqError.from(thrown).code);
      throw thrown;
    }
  }

  #announce(definitions: readonly ModelDefinition[]): ModelVersion<Servable>[] {
    return definitions.map(({ name, version }) => this.#registry.announce(name, version));
  }

  /**
   * Loads the versions of one model whose content does not answer yet, then retires those it no longer means.
   *
   * Rejects with the first failure, after trying all; then nothing is retired, so that something answers.
   */
  async #reconcile(definitions: readonly ModelDefinition[]): Promise<void> {
    const [{ name }] = definitions;
    const failures: unknown[] = [];
    for (const definition of definitions) {
      await this.#bring(definition).catch((error) => failures.push(error));
    }
    const meant = definitions.map(({ version }) => version);
    const others = this.#registry.versions(name).filter(({ version }) => !meant.includes(version));
    if (failures.length > 0) throw failures[0];
    // Content that was refused before is no new failure, but nothing replaces what answers either.
    if (definitions.some(({ version }) => !this.#registry.find(name, version)?.servable)) return;
    for (const version of others) await this.#retire(version);
  }

  async #bring(definition: ModelDefinition): Promise<void> {
    const { name, version, digest } = definition;
    const entry = this.#registry.announce(name, version);
    if (entry.digest === digest) entry.upToDate();
    if (entry.digest === digest || this.#isRejected(entry, digest)) return;
    entry.loading();
    let replaced: Servable | undefined;
    try {
      replaced = entry.publish(await this.#open(definition), digest);
    } catch (thrown) {
      const error = LcqError.from(thrown);
      entry.failed(error.message);
      this.#options.onLoadFailed(name, error.code);
      this.#reject(entry, digest, error);
      throw error;
    }
    this.#rejected.delete(entry);
    if (replaced) await this.#close(replaced);
  }

  #isRejected(entry: ModelVersion<Servable>, digest: string): boolean {
    const rejection = this.#rejected.get(entry);
    return rejection?.digest === digest && rejection.triesLeft === 0;
  }

  #reject(entry: ModelVersion<Servable>, digest: string, { code }: LcqError): void {
    // Memory may be free the next time, and a file that was not there, or not with that content, is looked at anew.
    if (code === 'RESOURCE_EXHAUSTED' || code === 'NOT_FOUND') return;
    const before = this.#rejected.get(entry);
    const tries = before?.digest === digest ? before.triesLeft : MAX_CRASHES;
    const triesLeft = code === 'UNAVAILABLE' ? tries - 1 : 0;
    this.#rejected.set(entry, { digest, triesLeft });
  }

  async #open(definition: ModelDefinition): Promise<Servable> {
    const release = this.#memory.reserve(definition);
    try {
      const servable = await this.#options.open(definition);
      this.#releases.set(servable, release);
      return servable;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #retire(version: ModelVersion<Servable>): Promise<void> {
    if (version.state !== 'READY') return;
    await this.#close(version.unloading());
    version.unloaded();
  }

  async #close(servable: Servable): Promise<void> {
    await servable.close();
    this.#releases.get(servable)?.();
    this.#releases.delete(servable);
  }

  #fault(name: string, thrown: unknown, required: boolean): void {
    if (required) throw thrown;
    const error = LcqError.from(thrown);
    // Polling meets the same fault again and again.
    if (this.#faults.get(name) !== error.message) this.#options.onFault(name, error);
    this.#faults.set(name, error.message);
  }
}
