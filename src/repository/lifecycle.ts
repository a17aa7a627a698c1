/**
 * The life of one version of a model. Names are those of the Open Inference Protocol's repository index.
 *
 *     UNKNOWN ----> LOADING ----> READY ----> UNLOADING ----> UNAVAILABLE
 *                    |   ^                                     ^   |
 *                    |   +-------------------------------------|---+
 *                    +-----------------------------------------+
 *
 * UNKNOWN: announced, waits for its turn. LOADING: the session opens and warms up. READY: requests are answered.
 * UNLOADING: takes no new requests, finishes those it has. UNAVAILABLE: not loaded; the reason says why.
 *
 * New content of a READY version loads beside the old one and replaces it in one step: the version is READY
 * throughout. If the new content fails, the old one goes on answering and the reason says what happened.
 */
export type ModelState = 'UNKNOWN' | 'LOADING' | 'READY' | 'UNLOADING' | 'UNAVAILABLE';

/** The reason of a version that was unloaded, in Triton's word. */
const UNLOADED = 'unloaded';

const SUCCESSORS: Readonly<Record<ModelState, readonly ModelState[]>> = {
  UNKNOWN: ['LOADING'],
  LOADING: ['READY', 'UNAVAILABLE'],
  READY: ['READY', 'UNLOADING'],
  UNLOADING: ['UNAVAILABLE'],
  UNAVAILABLE: ['LOADING'],
};

export const MODEL_STATES = Object.keys(SUCCESSORS) as readonly ModelState[];

/** One version of a model, and the servable that answers for it while it is READY. */
export class ModelVersion<Servable> {
  readonly name: string;
  readonly version: string;
  #state: ModelState = 'UNKNOWN';
  #reason = '';
  #servable: Servable | undefined;
  #digest: string | undefined;

  constructor(name: string, version: string) {
    this.name = name;
    this.version = version;
  }

  get state(): ModelState {
    return this.#state;
  }

  /** Why the version is UNAVAILABLE, or why newer content of a READY one is not served; else empty. */
  get reason(): string {
    return this.#reason;
  }

  /** Defined exactly while the version is READY. */
  get servable(): Servable | undefined {
    return this.#servable;
  }

  /** Of the content that answers. */
  get digest(): string | undefined {
    return this.#digest;
  }

  /** A load begins: of the first content, or of newer content beside what answers. */
  loading(): void {
    if (this.#state !== 'READY') this.#enter('LOADING');
  }

  /** The load succeeded: from now on `servable` answers. Returns the one it replaces, still to be closed. */
  publish(servable: Servable, digest: string): Servable | undefined {
    const replaced = this.#servable;
    this.#enter('READY');
    this.#servable = servable;
    this.#digest = digest;
    return replaced;
  }

  /** The load failed. What answered before still does. */
  failed(reason: string): void {
    if (this.#state !== 'READY') this.#enter('UNAVAILABLE');
    this.#reason = reason;
  }

  /** The repository holds what answers: what newer content failed of is past. */
  upToDate(): void {
    this.#reason = '';
  }

  /** Takes no new requests. Returns the servable, still to be closed. */
  unloading(): Servable {
    const servable = this.#servable as Servable;
    this.#enter('UNLOADING');
    this.#servable = undefined;
    this.#digest = undefined;
    return servable;
  }

  /** The servable is closed. */
  unloaded(): void {
    this.#enter('UNAVAILABLE');
    this.#reason = UNLOADED;
  }

  /** Whether the version is gone because somebody wanted it so. */
  get isRetired(): boolean {
    return this.#state === 'UNAVAILABLE' && this.#reason === UNLOADED;
  }

  #enter(state: ModelState): void {
    if (!SUCCESSORS[this.#state].includes(state)) {
      throw new Error(`${this.name} ${this.version} cannot turn from ${this.#state} to ${state}`);
    }
    this.#state = state;
    this.#reason = '';
  }
}
