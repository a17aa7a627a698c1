import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** SHA-256 of files, read again only when inode, size or change time say that a file was written. */
export class FileDigests {
  readonly #known = new Map<string, { readonly stamp: string; readonly digest: string }>();

  async of(path: string): Promise<string> {
    const { ino, size, ctimeNs } = await stat(path, { bigint: true });
    const stamp = `${ino} ${size} ${ctimeNs}`;
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.digest;
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    const digest = hash.digest('hex');
    this.#known.set(path, { stamp, digest });
    return digest;
  }
}
