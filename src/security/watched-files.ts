import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { LcqError } from '../errors.js';

export interface WatchOptions<T> {
  /** What the files' bytes mean, in the order of the paths; throws what is wrong with them. */
  read(contents: readonly Buffer[]): T;
  /** Called when changed files have been read. */
  onChange(value: T): void;
  /** Called when they cannot be read: the value before stays. */
  onError(error: LcqError): void;
  readonly intervalMs: number;
}

/** The value of some files that changes with them. They are looked at from time to time, which also sees links change. */
export class WatchedFiles<T> {
  readonly #paths: readonly string[];
  readonly #options: WatchOptions<T>;
  readonly #reload = () => this.#onChange();
  #value: T;

  /** Throws NOT_FOUND for a file that cannot be read, or as `read` does. */
  constructor(paths: readonly string[], options: WatchOptions<T>) {
    this.#paths = paths;
    this.#options = options;
    this.#value = this.#read();
    const watching = { interval: options.intervalMs, persistent: false };
    for (const path of paths) watchFile(path, watching, this.#reload);
  }

  get value(): T {
    return this.#value;
  }

  close(): void {
    for (const path of this.#paths) unwatchFile(path, this.#reload);
  }

  #read(): T {
    return this.#options.read(this.#paths.map(readBytes));
  }

  #onChange(): void {
    try {
      this.#value = this.#read();
      this.#options.onChange(this.#value);
    } catch (thrown) {
      this.#options.onError(LcqError.from(thrown));
    }
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new LcqError('NOT_FOUND', `${path} cannot be read`, { cause });
  }
}
