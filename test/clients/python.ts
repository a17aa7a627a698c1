import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ClientCheck, run } from './check.js';

const environment = fileURLToPath(new URL('../../../build/python-clients/', import.meta.url));
const scripts = fileURLToPath(new URL('../../../test/clients/', import.meta.url));

export const python = join(environment, 'bin', 'python');

export const TRITONCLIENT = 'tritonclient[http,grpc]==2.73.0';
export const PILLOW = 'pillow==13.0.0';

/** Makes a Python environment in build/ with the packages; false where that cannot be done. */
export function installPackages(...packages: string[]): boolean {
  const succeeds = (command: string, args: readonly string[]) =>
    spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  if (!existsSync(python) && !succeeds('python3', ['-m', 'venv', environment])) return false;
  return succeeds(python, ['-m', 'pip', 'install', '--quiet', '--retries', '0', ...packages]);
}

/** A Python script of this folder. */
const scriptCheck = (script: string, ...packages: string[]): ClientCheck => ({
  name: script,
  install: () => installPackages(...packages),
  async run({ http, grpc }, image) {
    await run(python, [join(scripts, script), String(http), String(grpc), image]);
  },
});

export const PYTHON_CHECKS = [
  scriptCheck('tritonclient_check.py', TRITONCLIENT),
  scriptCheck('tritonclient_aio_check.py', TRITONCLIENT),
  scriptCheck('image_client_check.py', TRITONCLIENT, PILLOW),
  scriptCheck('kserve_check.py', 'kserve==0.21.0'),
];
