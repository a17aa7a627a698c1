import { LcqError } from '../errors.js';
import { ModelVersion } from './lifecycle.js';
import { MODEL_NAME, MODEL_VERSION } from './repository.js';

/** The models a server knows, by name and version. What a servable is, is its users' affair. */
export class ModelRegistry<Servable> {
  readonly #models = new Map<string, Map<string, ModelVersion<Servable>>>();

  /** The version of that name, made known if it was not: until it is published it is UNAVAILABLE to callers. */
  announce(name: string, version: string): ModelVersion<Servable> {
    const versions = this.#models.get(name) ?? new Map<string, ModelVersion<Servable>>();
    this.#models.set(name, versions);
    const known = versions.get(version) ?? new ModelVersion<Servable>(name, version);
    versions.set(version, known);
    return known;
  }

  /**
   * The servable of a version, or of the highest one that is ready when `version` is absent or empty.
   *
   * Throws NOT_FOUND (unknown model or version) or UNAVAILABLE (not ready), in Triton's words: clients match them.
   */
  get(name: string, version?: string): Servable {
    const entry = this.lookup(name, version);
    if (entry.servable !== undefined) return entry.servable;
    if (!version && this.versions(name).every(({ state }) => state === 'UNAVAILABLE')) {
      const message = `Request for unknown model: '${name}' has no available versions`;
      throw new LcqError('NOT_FOUND', message);
    }
    const message = `Request for model: '${entry.name}' version ${entry.version} is not at ready state`;
    throw new LcqError('UNAVAILABLE', message);
  }

  /** The version that a request means, whatever its state. Throws NOT_FOUND. */
  lookup(name: string, version?: string): ModelVersion<Servable> {
    const found = this.find(name, version);
    if (found !== undefined) return found;
    if (!this.#models.has(name)) {
      const quoted = MODEL_NAME.test(name)
        ? `'${name}' is not found`
        : 'the name is not a model name';
      throw new LcqError('NOT_FOUND', `Request for unknown model: ${quoted}`);
    }
    const quoted = MODEL_VERSION.test(version ?? '')
      ? `${version} is not found`
      : 'is not a number';
    throw new LcqError('NOT_FOUND', `Request for unknown model: '${name}' version ${quoted}`);
  }

  /** The version that a request means, if it is known: only these may become metric labels. */
  find(name: string, version?: string): ModelVersion<Servable> | undefined {
    if (version) return this.#models.get(name)?.get(version);
    const versions = this.versions(name);
    return versions.findLast(({ state }) => state === 'READY') ?? versions.at(-1);
  }

  /** Versions of a model, ascending; none if it is unknown. */
  versions(name: string): ModelVersion<Servable>[] {
    const versions = [...(this.#models.get(name)?.values() ?? [])];
    return versions.sort((a, b) => Number(BigInt(a.version) - BigInt(b.version)));
  }

  /** Every known version, by name, then ascending. */
  all(): ModelVersion<Servable>[] {
    return [...this.#models.keys()].sort().flatMap((name) => this.versions(name));
  }
}
