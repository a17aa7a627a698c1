import { LcqError } from '../errors.js';
import type { ApiKeys } from './api-keys.js';
import type { RateLimiter } from './rate-limiter.js';

/**
 * What an endpoint needs of its callers: health checks are `open`, as probes bring no keys; `admin` are those that change
 * what is served; all others are `inference`.
 */
export type Scope = 'open' | 'inference' | 'admin';

/** What a request says of its sender. */
export interface Sender {
  /** By lower-case name. */
  header(name: string): string | undefined;
  /** Of the connection. */
  readonly address: string;
}

export interface AccessOptions {
  /** The keys at the moment; undefined: callers need none. */
  readonly keys: () => ApiKeys | undefined;
  /** `off`: admin endpoints refuse everybody; `key`: they take keys of the role admin, or everybody if there are no keys. */
  readonly adminAccess: 'key' | 'off';
  readonly limiter: RateLimiter | undefined;
}

/** Longer keys are not looked at. */
const MAX_KEY_LENGTH = 1024;
const ANONYMOUS = 'anonymous';

/** Decides who may do what, and how often, for both transports. */
export class AccessControl {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /**
   * Returns the name of the caller's key, for the logs.
   *
   * Throws UNAUTHENTICATED without a valid key, PERMISSION_DENIED for a key of the wrong role, RESOURCE_EXHAUSTED with
   * `retryAfterSeconds` above the rate limit.
   */
  authorize(scope: Scope, sender: Sender): string {
    if (scope === 'open') return ANONYMOUS;
    const name = this.#authenticate(scope, sender);
    // Who has no key of its own is known by its address.
    const client = name === ANONYMOUS ? `address ${sender.address}` : name;
    const wait = this.#options.limiter?.take(client) ?? 0;
    if (wait > 0) throw new RateLimited(wait);
    return name;
  }

  #authenticate(scope: Scope, sender: Sender): string {
    if (scope === 'admin' && this.#options.adminAccess === 'off') {
      throw new LcqError('PERMISSION_DENIED', 'admin endpoints are switched off');
    }
    const keys = this.#options.keys();
    if (keys === undefined) return ANONYMOUS;
    const key = keyOf(sender);
    if (key === undefined) throw new LcqError('UNAUTHENTICATED', 'an API key is required');
    const holder = key.length <= MAX_KEY_LENGTH ? keys.find(key) : undefined;
    if (holder === undefined) throw new LcqError('UNAUTHENTICATED', 'the API key is not valid');
    if (scope === 'admin' && holder.role !== 'admin') {
      throw new LcqError('PERMISSION_DENIED', 'this needs an API key of the role admin');
    }
    return holder.name;
  }
}

/** RESOURCE_EXHAUSTED that says when it is worth trying again. */
export class RateLimited extends LcqError {
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('RESOURCE_EXHAUSTED', 'the rate limit of this client is exceeded');
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** `x-api-key: KEY` or `authorization: Bearer KEY`. */
function keyOf({ header }: Sender): string | undefined {
  return header('x-api-key') ?? /^Bearer +(\S+)$/i.exec(header('authorization') ?? '')?.[1];
}
