/** A worker whose sessions negate bytes, until they are told to fail. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LcqError } from '../../src/errors.js';
import { serveSessions } from '../../src/workers/serve-sessions.js';

/** What the first byte of `x` does. */
export const CRASH = 255;
export const HANG = 254;
export const THROW_CODED = 253;
export const THROW_DEFECT = 252;
export const SLOW = 251;

const dieInNativeCode = () => process.kill(process.pid, 'SIGSEGV');

/** Each file of the folder is a start that fails. */
function failIfTold(folder: string | undefined): void {
  for (const name of folder === undefined ? [] : readdirSync(folder)) {
    try {
      rmSync(join(folder as string, name));
    } catch {
      // Another worker had it.
      continue;
    }
    process.exit(1);
  }
}

if (process.argv[2] === 'serve') {
  failIfTold(process.argv[3]);
  serveSessions(async ({ path }) => {
    if (path === 'deadly') dieInNativeCode();
    if (isAbsolute(path) && !existsSync(path)) throw new LcqError('NOT_FOUND', 'no such file');
    if (path === 'broken') throw new LcqError('UNSUPPORTED', 'node n: no such op');
    const spec = { name: 'x', datatype: 'UINT8', shape: [-1] } as const;
    return {
      inputs: [spec],
      outputs: [{ ...spec, name: 'y' }],
      async run({ x }) {
        if (path === 'echo') return { y: x };
        const [first] = x.data as Uint8Array;
        if (first === CRASH) dieInNativeCode();
        if (first === HANG) await new Promise(() => {});
        if (first === THROW_CODED) throw new LcqError('INVALID_ARGUMENT', 'not this one');
        if (first === THROW_DEFECT) throw new RangeError('out of bounds');
        if (first === SLOW) await setTimeout(100);
        const data = (x.data as Uint8Array).map((value) => 255 - value);
        return { y: { datatype: 'UINT8', shape: x.shape, data } };
      },
      async dispose() {},
    };
  });
}
