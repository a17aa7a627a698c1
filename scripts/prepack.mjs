/** Before `npm pack`, which runs no scripts here (.npmrc): makes what the package ships, the add-on too. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/command.mjs';
import { setUp } from './setup/steps.mjs';

await setUp();
const prebuilds = join(root, 'prebuilds');
const folder = join(prebuilds, `${process.platform}-${process.arch}`);
rmSync(prebuilds, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
cpSync(join(root, 'build/lcq.node'), join(folder, 'lcq.node'));
