#!/usr/bin/env node
/** The command `npm run loadtest`. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { LcqError } from '../src/errors.js';
import { type Capacity, measureCapacity, needsCapacity, phasesOf } from './capacity.js';
import { findings } from './expectations.js';
import { type LoadOptions, runLoad } from './load-run.js';
import { ProcessSampler } from './process-sampler.js';
import { highestRate } from './rate-search.js';
import type { RunReport } from './report/run-report.js';
import { findingTable, outcomeTable, plainText, runTable } from './report/tables.js';
import { writeReport } from './report/write-report.js';
import { loadScenario, type Scenario } from './scenario.js';
import { type ServerProcess, startServer } from './server-process.js';

interface Options {
  readonly target: string;
  readonly grpc: string;
  readonly start: boolean;
  readonly serverCores?: string;
  readonly clientCores?: string;
  readonly processes: number;
  readonly duration?: number;
  readonly capacity?: number;
  readonly search: boolean;
  readonly pid: readonly number[];
  readonly out?: string;
}

/** Exit statuses: what was expected was not shown; the generator lagged, so that nothing was. */
const NOT_MET = 1;
const NOT_VALID = 2;

function positive(text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a positive number.');
}

await new Command('loadtest')
  .description('Puts an open load on a server and reports latencies from the scheduled time.')
  .argument('<scenario>', 'JSON file, see loadtest/scenarios')
  .argument('[settings...]', 'of the server, after --, with --start')
  .option('--target <url>', 'where REST is', 'http://127.0.0.1:8000')
  .option('--grpc <host:port>', 'where gRPC is', '127.0.0.1:8001')
  .option('--start', 'start a server on free ports of the loopback interface', false)
  .option('--server-cores <list>', 'with --start: the cores that it may use, as taskset lists them')
  .option('--client-cores <list>', 'the cores of the generators, theirs alone')
  .option('--processes <count>', 'generators that share the load', positive, 1)
  .option('--duration <seconds>', 'stretch or shorten the phases to this', positive)
  .option('--capacity <rate>', 'what percentages refer to, instead of measuring it', positive)
  .option('--search', 'find the highest rate with p99 within the bound', false)
  .option(
    '--pid <pid>',
    'watch this process and its children',
    (pid, all: number[]) => [...all, positive(pid)],
    [],
  )
  .option('--out <folder>', 'where the report goes (runs/loadtest/NAME)')
  .action(async (path: string, settings: string[], options: Options) => {
    try {
      process.exitCode = await main(await loadScenario(path), settings, options);
    } catch (thrown) {
      process.stderr.write(`loadtest: ${LcqError.from(thrown).message}\n`);
      if (!(thrown instanceof LcqError)) throw thrown;
      process.exitCode = NOT_MET;
    }
  })
  .parseAsync();

async function main(scenario: Scenario, settings: string[], options: Options): Promise<number> {
  const server = options.start ? await startServer(settings, options.serverCores) : undefined;
  try {
    const report = await measure(scenario, server, options);
    const folder = options.out ?? join('runs/loadtest', scenario.name);
    await writeReport(report, folder);
    const tables = [outcomeTable(report), runTable(report), findingTable(report)];
    const told = tables.filter(({ rows }) => rows.length > 0).map(plainText);
    process.stdout.write(`${told.join('\n\n')}\n\nreport: ${join(folder, 'report.html')}\n`);
    if (!report.result.isValid) return NOT_VALID;
    return report.findings.every(({ isMet }) => isMet) ? 0 : NOT_MET;
  } finally {
    await server?.stop();
  }
}

async function measure(
  scenario: Scenario,
  server: ServerProcess | undefined,
  options: Options,
): Promise<RunReport> {
  const target = server?.target ?? { rest: options.target, grpc: options.grpc };
  const generators = { processes: options.processes, cores: options.clientCores };
  const load: LoadOptions = { target, generators };
  const startedAt = new Date().toISOString();
  const capacity = await capacityOf(scenario, load, options);
  const search = options.search ? await highestRate(scenario, load) : undefined;
  const phases = search
    ? [{ seconds: scenario.search.seconds, rate: search.rate || scenario.search.from }]
    : phasesOf(scenario, capacity, options.duration);
  const pids = [...options.pid, ...(server ? [server.pid] : [])];
  const sampler = pids.length > 0 ? new ProcessSampler(pids) : undefined;
  const result = await runLoad(scenario, phases, load);
  const resources = sampler?.stop(scenario.warmUpSeconds);
  return {
    scenario,
    startedAt,
    machine: {
      processor: cpus()[0].model,
      cores: cpus().length,
      node: process.versions.node,
      ...(options.serverCores && { serverCores: options.serverCores }),
      ...(options.clientCores && { clientCores: options.clientCores }),
      generators: options.processes,
    },
    capacity,
    search,
    result,
    resources,
    findings: findings(scenario, result, capacity, resources),
  };
}

async function capacityOf(
  scenario: Scenario,
  load: LoadOptions,
  { capacity, search }: Options,
): Promise<Capacity | undefined> {
  if (search || !needsCapacity(scenario)) return undefined;
  const measured = await measureCapacity(scenario, load);
  return capacity === undefined ? measured : { ...measured, perSecond: capacity };
}
