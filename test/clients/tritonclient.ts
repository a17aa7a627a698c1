/**
 * Runs NVIDIA's tritonclient from PyPI against the server: `npm run test:clients`. Makes a Python environment in
 * build/; where there is no Python or its registry is not reached, says so and checks nothing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { solidImage, TEST_SETTINGS } from '../end-to-end/server-under-test.js';
import { colourSession, withColourRepository } from '../serving/colour-model.js';

const PACKAGE = 'tritonclient[http,grpc]==2.73.0';
const root = fileURLToPath(new URL('../../../', import.meta.url));
const environment = join(root, 'build', 'python-clients');
const python = join(environment, 'bin', 'python');
const check = join(root, 'test', 'clients', 'tritonclient_check.py');

/** Whether tritonclient is there, after installing it if need be. */
function install(): boolean {
  const succeeds = (command: string, args: string[]) =>
    spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  if (!existsSync(python) && !succeeds('python3', ['-m', 'venv', environment])) return false;
  return succeeds(python, ['-m', 'pip', 'install', '--quiet', '--retries', '0', PACKAGE]);
}

async function runCheck(): Promise<number> {
  return withColourRepository(async (modelRepository) => {
    const settings = { ...TEST_SETTINGS, modelRepository, modelControl: 'explicit' };
    const config = configSchema.parse({ ...settings, loadModels: 'colours' });
    const openSession = async () => colourSession();
    const server = new ModelServer(config, { openSession, log: createLogger('warn') });
    const { http, grpc } = await server.listen();
    try {
      await server.load();
      const image = join(modelRepository, '.green.png');
      await writeFile(image, await solidImage([0, 255, 0]));
      const args = [check, String(http), String(grpc), image];
      const child = spawn(python, args, { stdio: ['ignore', 'inherit', 'inherit'] });
      const [status] = await once(child, 'exit');
      return status ?? 1;
    } finally {
      await server.close();
    }
  });
}

if (install()) {
  process.exitCode = await runCheck();
} else {
  process.stdout.write(`skipped: ${PACKAGE} cannot be installed here, nothing was checked\n`);
}
