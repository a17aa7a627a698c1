import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root, run } from './command.mjs';
import { filesBelow, fingerprint, hasStamp, makeStamped } from './stamp.mjs';

export const title = 'compiling TypeScript to dist/';

const ENTRY = 'dist/src/cli/lcq.js';

const SOURCES = ['src', 'test', 'loadtest', 'examples'];
/** The playground: compiled for browsers, by a configuration of its own. */
const PAGE = 'src/transport/rest/playground/page';
const PAGE_FILES = /\.(html|css|svg)$/;

const inputs = () => {
  const sources = [...filesBelow(SOURCES, /\.ts$/), ...filesBelow([PAGE], PAGE_FILES)];
  // The lock as a whole: most packages have types.
  const settings = ['tsconfig.json', join(PAGE, 'tsconfig.json'), 'package-lock.json'];
  return fingerprint([...settings, ...sources], []);
};

export function isCurrent() {
  return existsSync(join(root, ENTRY)) && hasStamp('dist', inputs());
}

export async function make() {
  await makeStamped('dist', inputs(), async () => {
    for (const project of ['tsconfig.json', join(PAGE, 'tsconfig.json')]) {
      await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project]);
    }
    for (const path of filesBelow([PAGE], PAGE_FILES)) {
      cpSync(join(root, path), join(root, 'dist', path));
    }
    removeOrphans();
    chmodSync(join(root, ENTRY), 0o755);
  });
}

/** Outputs of deleted sources stay behind, where the test runner or the playground would still find them. */
function removeOrphans() {
  for (const output of filesBelow(['dist'], /\.(js|js\.map|d\.ts|html|css|svg)$/)) {
    const source = relative('dist', output).replace(/\.(js|js\.map|d\.ts)$/, '.ts');
    if (!existsSync(join(root, source))) rmSync(join(root, output));
  }
}
