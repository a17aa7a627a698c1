import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './command.mjs';

export const title = 'installing npm packages (npm ci)';

/** npm's own record of what it installed, written when an install ends, is compared with the lock. */
export function isCurrent() {
  const installed = readPackages('node_modules/.package-lock.json');
  const wanted = Object.entries(readPackages('package-lock.json')).filter(([path]) => path !== '');
  return wanted.every(([path, { integrity, optional }]) =>
    path in installed ? installed[path].integrity === integrity : optional,
  );
}

export async function make() {
  const [command, ...args] = npm();
  await run(command, [...args, 'ci', '--include=dev', '--no-audit', '--no-fund']);
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

/** The npm that runs us, if one does: the one on PATH may be another. */
function npm() {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') ? [process.execPath, cli] : ['npm'];
}
