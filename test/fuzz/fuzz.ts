/**
 * Fires damaged requests and pictures at a server process: `npm run fuzz -- [--seed N] [--requests N] [--images N]`.
 *
 * Fails on a crash, a hang, a 500 (UNKNOWN, INTERNAL), an uncoded error, a wrong answer to a valid request in between, a
 * worker that ended, a defect in the server's log, or memory that grows.
 */
import { parseArgs } from 'node:util';
import { Campaign } from './campaign.js';
import { judge, summary } from './report.js';
import { ServerProcess } from './server-process.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    requests: { type: 'string', default: '100000' },
    images: { type: 'string', default: '10000' },
  },
});
const print = (line: string) => process.stdout.write(`${line}\n`);

const server = await ServerProcess.start();
const start = performance.now();
try {
  const result = await new Campaign(server, {
    seed: Number(values.seed),
    requests: Number(values.requests),
    images: Number(values.images),
    concurrency: 16,
    onProgress: print,
  }).run();
  const failures = await judge(server, result);
  for (const line of summary(result, server)) print(line);
  for (const failure of failures) print(`FAILED: ${failure}`);
  print(`${failures.length} failures in ${Math.round((performance.now() - start) / 1000)} s`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  await server.stop();
}
