import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { CONFIG_FIELDS } from '../config/schema.js';
import { workerEnvironment } from '../config/worker-environment.js';
import { startWorkers } from '../workers/start.js';

export const command = new Command('serve')
  .description('serve the models of a repository over REST and gRPC')
  .option('--config <file>', 'JSON file of the settings below, by their camel-case names');

for (const { flag, variable, description, defaultValue } of CONFIG_FIELDS) {
  command.option(`${flag} <value>`, `${description} [${variable}, default ${defaultValue}]`);
}

command
  .addHelpText('after', '\nFlags come before environment variables, and those before the file.')
  .action(async ({ config: file, ...flags }: Record<string, unknown> & { config?: string }) => {
    const config = loadConfig({ file, environment: process.env, flags });
    // They come up while the rest of the server is loaded.
    const workers = startWorkers(config, workerEnvironment());
    const { serve } = await import('../main.js');
    await serve(config, { workers });
  });
