import { get } from 'node:http';
import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import type { ServerConfig } from '../config/schema.js';
import { LcqError } from '../errors.js';

/** Shorter than the 3 s after which container engines commonly give up on a health check. */
const TIMEOUT_MS = 2000;

export const command = new Command('health')
  .description('ask the server on this machine whether it is ready: exit status 0, or else 1')
  .option('--config <file>', 'the JSON file that the server was started with')
  .addHelpText(
    'after',
    '\nAddress and port come from the file and the LCQ_* variables, as for serve.',
  )
  .action(async ({ config: file }: { config?: string }) => {
    const config = loadConfig({ file, environment: process.env, flags: {} });
    const status = await readiness(config);
    if (status !== 200) throw new LcqError('UNAVAILABLE', `not ready: status ${status}`);
  });

/**
 * HTTP status of the readiness probe, on the metrics port: it asks for no certificate. Rejects with UNAVAILABLE when nobody
 * answers.
 */
function readiness({ host, metricsPort: port }: ServerConfig): Promise<number | undefined> {
  const hostname = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const options = { hostname, port, path: '/v2/health/ready', agent: false, signal };
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error) => {
      reject(new LcqError('UNAVAILABLE', `no answer from ${hostname}:${port}`, { cause }));
    };
    get(options, (response) => resolve(response.resume().statusCode)).on('error', refuse);
  });
}
