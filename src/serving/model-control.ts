import { LcqError } from '../errors.js';
import type { ModelIndexEntry, ModelManager } from '../repository/model-manager.js';
import type { Servable } from './servable.js';

export type { ModelIndexEntry };

/** Who decides what is loaded: the start alone, callers of the repository endpoints, or the repository's content. */
export type ModelControlMode = 'none' | 'explicit' | 'poll';

/** The repository as callers see it: what is there, and loading and unloading by request where that is allowed. */
export class ModelControl {
  readonly #manager: ModelManager<Servable>;
  readonly #mode: ModelControlMode;

  constructor(manager: ModelManager<Servable>, mode: ModelControlMode) {
    this.#manager = manager;
    this.#mode = mode;
  }

  /** Rejects with NOT_FOUND if the repository is gone. */
  async index({ readyOnly }: { readyOnly: boolean }): Promise<ModelIndexEntry[]> {
    const entries = await this.#manager.index();
    return readyOnly ? entries.filter(({ state }) => state === 'READY') : entries;
  }

  /** Resolves once what the model's folder holds answers. Rejects as the manager does; UNAVAILABLE if not allowed. */
  async load(name: string): Promise<void> {
    this.#requireExplicit();
    await this.#manager.load(name);
  }

  /** Resolves once the model's requests are answered and its memory is freed. Rejects like `load`. */
  async unload(name: string): Promise<void> {
    this.#requireExplicit();
    await this.#manager.unload(name);
  }

  #requireExplicit(): void {
    if (this.#mode === 'explicit') return;
    const polling = this.#mode === 'poll' ? ' if polling is enabled' : '';
    const message = `explicit model load / unload is not allowed${polling}`;
    throw new LcqError('UNAVAILABLE', message);
  }
}
