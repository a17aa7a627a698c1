/** The command `npm run bench:serving`: what the server adds to the session that it serves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { LcqError } from '../../src/errors.js';
import type { Cores } from '../pinned-process.js';
import { figure, plainText } from '../report/tables.js';
import { startServer } from '../server-process.js';
import { measureGoodput, measureOverhead } from './measure.js';
import { RawSession } from './raw-session.js';
import { type ServedModel, writeRepository } from './synthetic-repository.js';

interface Options {
  readonly models: string;
  readonly repository?: string;
  readonly threads: number;
  readonly batch: number;
  readonly requests: number;
  readonly rounds: number;
  readonly serverCores: Cores;
  readonly clientCores: Cores;
}

const DEFAULT_MODELS = 'resnet20-cifar10-w2a2,resnet18,resnet50';
const HEAD = [
  'model',
  'gRPC p50 ms',
  'session p50 ms',
  'overhead ms',
  'of bare gRPC',
  'served/s',
  'session/s',
  'share',
  'served cpu ms',
  'session cpu ms',
];

function positive(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a positive integer.');
}

await new Command('bench:serving')
  .description('Compares the service with the session that it runs, side by side.')
  .option('--models <list>', 'of models/, or networks of lcq bench', DEFAULT_MODELS)
  .option('--repository <folder>', 'where the models are put, and kept')
  .option('--threads <count>', 'of the session, served or not', positive, 1)
  .option('--batch <size>', 'largest batch', positive, 32)
  .option('--requests <count>', 'of the lone client', positive, 500)
  .option('--rounds <count>', 'of service and session in turns', positive, 3)
  .option('--server-cores <list>', 'cores of server and session, as taskset lists them')
  .option('--client-cores <list>', 'cores of the clients')
  .action(async (options: Options) => {
    const root = options.repository ?? (await mkdtemp(join(tmpdir(), 'lcq-serving-')));
    try {
      await main(root, options);
    } catch (thrown) {
      process.stderr.write(`bench:serving: ${LcqError.from(thrown).message}\n`);
      if (!(thrown instanceof LcqError)) throw thrown;
      process.exitCode = 1;
    } finally {
      if (options.repository === undefined) await rm(root, { recursive: true });
    }
  })
  .parseAsync();

async function main(root: string, options: Options): Promise<void> {
  const { threads, batch, serverCores, clientCores } = options;
  const models = await writeRepository(root, options.models.split(','), batch);
  const settings = [
    '--model-repository',
    root,
    '--threads',
    String(threads),
    // The crowd of callers waits as long as it takes.
    '--max-queue-wait-ms',
    '0',
    '--log-level',
    'warn',
  ];
  const server = await startServer(settings, serverCores);
  try {
    const rows: string[][] = [];
    for (const model of models) rows.push(await rowOf(model, server, options));
    const pinning = `server on cores ${serverCores ?? 'any'}, clients on ${clientCores ?? 'any'}`;
    process.stdout.write(`${pinning}, ${threads} threads\n\n${plainText({ head: HEAD, rows })}\n`);
  } finally {
    await server.stop();
  }
}

async function rowOf(
  model: ServedModel,
  server: Awaited<ReturnType<typeof startServer>>,
  { threads, batch, requests, rounds, serverCores, clientCores }: Options,
): Promise<string[]> {
  const session = await RawSession.open(model.path, threads, serverCores);
  try {
    const lone = await measureOverhead(model, server, session, requests);
    const generators = { processes: 1, cores: clientCores };
    const load = { target: server.target, generators, batch, rounds };
    const crowd = await measureGoodput(model, server, session, load);
    const alone = [lone.served, lone.raw, lone.overhead, lone.bareOverhead];
    const crowded = [crowd.served, crowd.raw, crowd.share, crowd.servedCpu, crowd.rawCpu];
    return [model.name, ...[...alone, ...crowded].map(figure)];
  } finally {
    session.close();
  }
}
