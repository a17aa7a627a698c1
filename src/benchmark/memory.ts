import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROBE = fileURLToPath(new URL('./memory-probe.js', import.meta.url));

/**
 * The greatest resident size, in MB (2^20 bytes), of a process of its own that loads the model and runs it; of one that
 * loads nothing for the path ''.
 */
export async function peakMemory(path: string, batch: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROBE, path, String(batch)]);
  return Number(stdout) / 1024;
}
