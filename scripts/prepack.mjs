/** Before `npm pack`: makes all that the package ships, and the add-on for this platform. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/command.mjs';
import { setUp } from './setup/steps.mjs';

// npm's standard output is the name of the file.
console.log = console.error;
await setUp();
const prebuilds = join(root, 'prebuilds');
const folder = join(prebuilds, `${process.platform}-${process.arch}`);
rmSync(prebuilds, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
cpSync(join(root, 'build/lcq.node'), join(folder, 'lcq.node'));
