import { readFile } from 'node:fs/promises';
import { LcqError } from '../errors.js';

/** Rejects with NOT_FOUND without such a file, INVALID_ARGUMENT if it cannot be read. */
export async function readModelFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw code === 'ENOENT'
      ? new LcqError('NOT_FOUND', `there is no file '${path}'`, { cause })
      : new LcqError('INVALID_ARGUMENT', `cannot read '${path}' (${code})`, { cause });
  }
}
