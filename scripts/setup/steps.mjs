/**
 * Makes a clone runnable: npm packages, dist/ and build/lcq.node. A step whose inputs did not change is skipped.
 * Runs before node_modules exists, so node's own modules are all that this folder may import.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, SetupError } from './command.mjs';
import { withLock } from './lock.mjs';
import * as native from './native.mjs';
import * as packages from './packages.mjs';
import * as typescript from './typescript.mjs';

/** In this order: each step may use what the ones before it made. */
const STEPS = [packages, typescript, native];

function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [major, minor] = engines.node.match(/\d+/g).map(Number);
  const [ourMajor, ourMinor] = process.versions.node.split('.').map(Number);
  if (ourMajor > major || (ourMajor === major && ourMinor >= minor)) return;
  throw new SetupError(
    `Node ${major}.${minor} or newer is needed and this is ${process.versions.node}.`,
  );
}

async function makeOutdated() {
  for (const step of STEPS) {
    if (step.isCurrent()) continue;
    console.log(`setup: ${step.title}`);
    await step.make();
  }
}

async function makeAll() {
  requireNode();
  if (STEPS.every((step) => step.isCurrent())) return;
  if (!native.isCurrent()) native.requireTools();
  const started = Date.now();
  const lock = join(root, '.setup-lock');
  await withLock(lock, makeOutdated, () => {
    console.log(`setup: waiting for another setup to end (if there is none, remove ${lock})`);
  });
  console.log(`setup: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Ends the process with one clear message when something that the user can act on is missing or fails. */
export async function setUp() {
  try {
    await makeAll();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`setup: ${error.message}`);
    process.exit(1);
  }
}
