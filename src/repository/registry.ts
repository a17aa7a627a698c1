import { LcqError } from '../errors.js';
import { MODEL_NAME, MODEL_VERSION } from './repository.js';

/** A model version on its way to being servable, or there. */
interface Entry<Servable> {
  readonly name: string;
  readonly version: string;
  servable: Servable | undefined;
}

/** The models a server knows, by name and version. What a servable is, is its users' affair. */
export class ModelRegistry<Servable> {
  readonly #models = new Map<string, Map<string, Entry<Servable>>>();

  /** Announces a version that is about to be loaded: until `publish` it is known but UNAVAILABLE. */
  announce(name: string, version: string): void {
    const versions = this.#models.get(name) ?? new Map<string, Entry<Servable>>();
    versions.set(version, { name, version, servable: undefined });
    this.#models.set(name, versions);
  }

  /** Makes an announced version answer. */
  publish(name: string, version: string, servable: Servable): void {
    this.#entry(name, version).servable = servable;
  }

  /**
   * The servable of a version, or of the highest one when `version` is absent or empty.
   *
   * Throws NOT_FOUND (unknown model or version) or UNAVAILABLE (still loading), in Triton's words: clients match them.
   */
  get(name: string, version?: string): Servable {
    const entry = this.#entry(name, version);
    if (entry.servable === undefined) {
      const message = `Request for model: '${entry.name}' version ${entry.version} is not at ready state`;
      throw new LcqError('UNAVAILABLE', message);
    }
    return entry.servable;
  }

  /** The name and version that a request means, if they are known: the only ones that may become metric labels. */
  find(name: string, version?: string): { name: string; version: string } | undefined {
    const versions = this.#models.get(name);
    return versions?.get(version || highest(versions));
  }

  /** Numeric versions of a known model, ascending. */
  versions(name: string): string[] {
    const versions = [...(this.#models.get(name)?.keys() ?? [])];
    return versions.sort((a, b) => Number(BigInt(a) - BigInt(b)));
  }

  /** Every servable that is ready. */
  all(): Servable[] {
    const entries = [...this.#models.values()].flatMap((versions) => [...versions.values()]);
    return entries.flatMap(({ servable }) => (servable === undefined ? [] : [servable]));
  }

  #entry(name: string, version?: string): Entry<Servable> {
    const versions = this.#models.get(name);
    if (versions === undefined) {
      const quoted = MODEL_NAME.test(name)
        ? `'${name}' is not found`
        : 'the name is not a model name';
      throw new LcqError('NOT_FOUND', `Request for unknown model: ${quoted}`);
    }
    const entry = versions.get(version || highest(versions));
    if (entry !== undefined) return entry;
    const quoted = MODEL_VERSION.test(version ?? '')
      ? `${version} is not found`
      : 'is not a number';
    throw new LcqError('NOT_FOUND', `Request for unknown model: '${name}' version ${quoted}`);
  }
}

function highest(versions: ReadonlyMap<string, unknown>): string {
  return [...versions.keys()].reduce((a, b) => (BigInt(b) > BigInt(a) ? b : a));
}
