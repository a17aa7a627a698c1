import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LcqError } from '../../src/errors.js';

const run = promisify(execFile);

/** A file of this folder; only TypeScript is compiled to dist/. */
export const peerFile = (name: string): string =>
  fileURLToPath(new URL(`../../../loadtest/peers/${name}`, import.meta.url));

/**
 * Makes a Python environment with the peers from PyPI in a folder, unless it is there, and resolves to its interpreter.
 *
 * Rejects with UNAVAILABLE when it cannot be made.
 */
export async function pythonWithPeers(folder: string): Promise<string> {
  const python = join(folder, 'bin/python');
  const done = join(folder, 'bin/litserve');
  if (existsSync(done)) return python;
  try {
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '-r', peerFile('requirements.txt')]);
  } catch (cause) {
    const message = 'the Python environment of the peers cannot be made (python3, venv, PyPI)';
    throw new LcqError('UNAVAILABLE', message, { cause });
  }
  return python;
}

/** The model in int8 as onnxruntime's own tool makes it, calibrated with these pictures. */
export async function quantizeInt8(
  python: string,
  model: string,
  out: string,
  pictures: readonly string[],
): Promise<void> {
  await run(python, [peerFile('quantize_int8.py'), model, out, ...pictures]);
}
