/**
 * Runs other people's clients against the server: `npm run test:clients`. Makes a Python environment and installs Go
 * tools in build/; what cannot be installed here is skipped, and it says so.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer, type Ports } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { solidImage, TEST_SETTINGS } from '../end-to-end/server-under-test.js';
import { colourSession, withColourRepository } from '../serving/colour-model.js';
import { checkGrpcurl, checkHealthProbe } from './go-tools.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const environment = join(root, 'build', 'python-clients');
const python = join(environment, 'bin', 'python');

/** Python scripts in this folder, and the packages that each needs. */
const PYTHON_CHECKS = [
  { script: 'tritonclient_check.py', packages: ['tritonclient[http,grpc]==2.73.0'] },
  {
    script: 'image_client_check.py',
    packages: ['tritonclient[http,grpc]==2.73.0', 'pillow==13.0.0'],
  },
  { script: 'kserve_check.py', packages: ['kserve==0.21.0'] },
];

const print = (line: string) => process.stdout.write(`${line}\n`);

/** Whether the packages are there, after installing them if need be. */
function install(packages: readonly string[]): boolean {
  const succeeds = (command: string, args: readonly string[]) =>
    spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  if (!existsSync(python) && !succeeds('python3', ['-m', 'venv', environment])) return false;
  return succeeds(python, ['-m', 'pip', 'install', '--quiet', '--retries', '0', ...packages]);
}

/** Serves the colour model and hands over its ports and a green picture. */
async function withServer(
  use: (ports: Ports, image: string) => Promise<boolean>,
): Promise<boolean> {
  return withColourRepository(async (modelRepository) => {
    const settings = { ...TEST_SETTINGS, modelRepository, modelControl: 'explicit' };
    const config = configSchema.parse({ ...settings, loadModels: 'colours' });
    const openSession = async () => colourSession();
    const server = new ModelServer(config, { openSession, log: createLogger('error') });
    const ports = await server.listen();
    try {
      await server.load();
      const image = join(modelRepository, '.green.png');
      await writeFile(image, await solidImage([0, 255, 0]));
      return await use(ports, image);
    } finally {
      await server.close();
    }
  });
}

async function runPython(script: string, { http, grpc }: Ports, image: string): Promise<boolean> {
  const args = [join(root, 'test', 'clients', script), String(http), String(grpc), image];
  const child = spawn(python, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = await once(child, 'exit');
  return status === 0;
}

let failed = 0;
for (const { script, packages } of PYTHON_CHECKS) {
  if (!install(packages)) {
    print(`skipped: ${script}: ${packages.join(' and ')} cannot be installed here`);
  } else if (!(await withServer((ports, image) => runPython(script, ports, image)))) {
    failed += 1;
    print(`failed: ${script}`);
  }
}
for (const check of [checkGrpcurl, checkHealthProbe]) {
  const passed = await withServer((ports, image) => check(ports, image, print));
  if (!passed) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
