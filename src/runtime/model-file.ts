import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LcqError } from '../errors.js';
import { createLcqSession, type LcqSession } from './lcq-session.js';

/** A model file, and what it must hold: there may be another one of that path since it was looked at. */
export interface ModelFile {
  readonly path: string;
  /** SHA-256, in hexadecimal digits. */
  readonly sha256: string;
}

/**
 * Threads that wait for work sleep. ONNX Runtime lets them spin, which takes the cores from the other sessions of a
 * worker and from the server.
 */
const SLEEPING_THREADS = { 'session.intra_op.allow_spinning': '0' };

/**
 * Opens a model from the very bytes that its digest is of. Rejects as `createLcqSession` does, and with NOT_FOUND if
 * the file cannot be read or holds something else by now.
 */
export async function openModelFile(file: ModelFile, intraOpThreads: number): Promise<LcqSession> {
  return createLcqSession(await readBytes(file), { intraOpThreads, config: SLEEPING_THREADS });
}

async function readBytes({ path, sha256 }: ModelFile): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new LcqError('NOT_FOUND', 'the model file cannot be read', { cause });
  }
  // In the thread pool: where there are no workers, requests of other models are answered meanwhile.
  const digest = Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes));
  if (digest.toString('hex') === sha256) return bytes;
  throw new LcqError('NOT_FOUND', 'the model file has changed since it was looked at');
}
