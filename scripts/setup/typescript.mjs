import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root, run } from './command.mjs';
import { filesBelow, fingerprint, hasStamp, makeStamped } from './stamp.mjs';

export const title = 'compiling TypeScript to dist/';

const ENTRY = 'dist/src/cli/lcq.js';

const SOURCES = ['src', 'test', 'loadtest'];

/** The lock as a whole: most packages have types. */
const inputs = () =>
  fingerprint(['tsconfig.json', 'package-lock.json', ...filesBelow(SOURCES, /\.ts$/)], []);

export function isCurrent() {
  return existsSync(join(root, ENTRY)) && hasStamp('dist', inputs());
}

export async function make() {
  await makeStamped('dist', inputs(), async () => {
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
    removeOrphans();
    chmodSync(join(root, ENTRY), 0o755);
  });
}

/** The compiler leaves the outputs of deleted sources behind, where the test runner would still find them. */
function removeOrphans() {
  for (const output of filesBelow(['dist'], /\.(js|js\.map|d\.ts)$/)) {
    const source = relative('dist', output).replace(/\.(js|js\.map|d\.ts)$/, '.ts');
    if (!existsSync(join(root, source))) rmSync(join(root, output));
  }
}
