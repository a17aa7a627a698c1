import { LcqError } from '../errors.js';
import type { ModelDefinition } from './repository.js';

type Sized = Pick<ModelDefinition, 'name' | 'version' | 'modelBytes' | 'config'>;

/** What one loaded version of a model takes, over all its instances. */
export interface Reservation {
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
}

/**
 * How much memory loaded models may take together.
 *
 * By what models state (`memoryBytes` of config.json, for each instance) or by the size of their files: a rule for
 * admission, not a measurement.
 */
export class MemoryBudget {
  readonly #limit: number;
  readonly #reservations = new Set<Reservation>();

  /** `limit` in bytes; undefined: none. */
  constructor(limit = Infinity) {
    this.#limit = limit;
  }

  /** Not yet released. While new content replaces old, there are two of a version. */
  get reservations(): readonly Reservation[] {
    return [...this.#reservations];
  }

  /** Bytes reserved and not yet released. */
  get used(): number {
    return this.reservations.reduce((total, { bytes }) => total + bytes, 0);
  }

  /** Takes a model's share and returns what gives it back, once. Throws RESOURCE_EXHAUSTED if it does not fit. */
  reserve({ name, version, modelBytes, config }: Sized): () => void {
    const bytes = (config.memoryBytes ?? modelBytes) * config.instances;
    if (this.used + bytes > this.#limit) {
      const message =
        `model '${name}' version ${version} needs ${bytes} bytes; ` +
        `${this.used} of the memory budget of ${this.#limit} bytes are taken`;
      throw new LcqError('RESOURCE_EXHAUSTED', message);
    }
    const reservation = { name, version, bytes };
    this.#reservations.add(reservation);
    return () => this.#reservations.delete(reservation);
  }
}
