import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { LcqError } from '../errors.js';

/** `admin` may do all that `inference` may, and change what is served. */
export type Role = 'inference' | 'admin';

/** Who a key belongs to; `name` is shown in logs and shares one rate limit. */
export interface KeyHolder {
  readonly name: string;
  readonly role: Role;
}

const holder = {
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'has letters, digits, ".", "_" and "-"'),
  role: z.enum(['inference', 'admin']).default('inference'),
};
const entry = z.union([
  z.strictObject({ ...holder, key: z.string().min(16, 'has at least 16 characters') }),
  z.strictObject({ ...holder, sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is 64 hex digits') }),
]);
const keyFile = z.strictObject({ keys: z.array(entry).min(1).max(1000) });

/** The keys that callers may bring. Only their SHA-256 digests are kept. */
export class ApiKeys {
  readonly #digests: readonly { readonly digest: Buffer; readonly holder: KeyHolder }[];

  /**
   * Reads `{"keys": [{"name", "role"?, "key" | "sha256"}]}`. Throws INVALID_ARGUMENT naming the field, never the key.
   */
  constructor(text: string) {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw new LcqError('INVALID_ARGUMENT', 'the file of API keys is not JSON');
    }
    const parsed = keyFile.safeParse(json);
    if (!parsed.success) {
      const [{ path, message }] = parsed.error.issues;
      const text = `the file of API keys: ${path.join('.')}: ${message}`;
      throw new LcqError('INVALID_ARGUMENT', text);
    }
    this.#digests = parsed.data.keys.map((key) => ({
      digest: 'key' in key ? digestOf(key.key) : Buffer.from(key.sha256, 'hex'),
      holder: { name: key.name, role: key.role },
    }));
  }

  /** Whose key this is. Takes the same time whatever the key has in common with ours: all digests are compared. */
  find(key: string): KeyHolder | undefined {
    const digest = digestOf(key);
    let found: KeyHolder | undefined;
    for (const known of this.#digests) {
      if (timingSafeEqual(known.digest, digest)) found = known.holder;
    }
    return found;
  }
}

const digestOf = (key: string) => createHash('sha256').update(key).digest();
