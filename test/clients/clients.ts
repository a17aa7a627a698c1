/**
 * Runs other people's clients, and the examples, against the server: `npm run test:clients`. Makes a Python environment
 * and builds Go programs in build/; what cannot be installed here is skipped, and it says so.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { solidImage, TEST_SETTINGS } from '../end-to-end/server-under-test.js';
import { colourSession, withColourRepository } from '../serving/colour-model.js';
import type { ClientCheck } from './check.js';
import { EXAMPLE_CHECKS } from './examples.js';
import { GO_CHECKS } from './go.js';
import { PYTHON_CHECKS } from './python.js';

/** Makes the check against a server of its own. */
function runCheck({ settings, run }: ClientCheck): Promise<void> {
  return withColourRepository(async (modelRepository) => {
    const repository = { modelRepository, modelControl: 'explicit', loadModels: 'colours' };
    const config = configSchema.parse({ ...TEST_SETTINGS, ...repository, ...settings });
    const openSession = async () => colourSession();
    const server = new ModelServer(config, { openSession, log: createLogger('error') });
    const ports = await server.listen();
    try {
      await server.load();
      const image = join(modelRepository, '.green.png');
      await writeFile(image, await solidImage([0, 255, 0]));
      await run(ports, image);
    } finally {
      await server.close();
    }
  });
}

async function outcomeOf(check: ClientCheck): Promise<string> {
  if (!check.install()) return 'skipped: what it needs cannot be installed here';
  try {
    await runCheck(check);
    return 'ok';
  } catch (error) {
    process.exitCode = 1;
    return `failed: ${error}`;
  }
}

for (const check of [...PYTHON_CHECKS, ...GO_CHECKS, ...EXAMPLE_CHECKS]) {
  process.stdout.write(`${check.name}: ${await outcomeOf(check)}\n`);
}
