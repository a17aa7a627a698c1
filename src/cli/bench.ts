import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Command, Option } from 'commander';
import {
  type ContestOptions,
  type ContestRow,
  contest,
  FORMS,
  type Form,
} from '../benchmark/contest.js';
import { NETWORKS } from '../benchmark/network.js';
import { arbitraryFeeds } from '../benchmark/race.js';
import { traceNodes } from '../benchmark/trace.js';
import { LcqError } from '../errors.js';
import { decodeModel } from '../onnx/serde.js';
import { summarize } from '../quantization/summary.js';
import { createLcqSession, listKernels } from '../runtime/lcq-session.js';

interface Options {
  models: string[];
  forms: Form[];
  threads: number[];
  batches: number[];
  rounds: number;
  kernels: string;
  json: boolean;
}

/** lcq8 is there to compare our own kernels with. */
const DEFAULT_FORMS: readonly Form[] = ['fp32', 'int8', 'lcq2', 'lcq3', 'lcq4'];

const list = (text: string) => text.split(',');
const numbers = (text: string) => list(text).map(Number);

export const command = new Command('bench')
  .description(
    'compare networks in fp32, int8 and LCQ, side by side in one process; or time the nodes of a model file',
  )
  .argument('[model]', 'an .onnx file, to time its nodes')
  .option('--models <names>', `of ${Object.keys(NETWORKS).join(', ')}`, list, Object.keys(NETWORKS))
  .option('--forms <forms>', `of ${FORMS.join(', ')}`, list, [...DEFAULT_FORMS])
  .option('--threads <counts>', 'threads of a run', numbers, [1, 2])
  .option('--batches <sizes>', 'images of a run', numbers, [1, 8])
  .option('--rounds <n>', 'runs that are timed', Number, 20)
  .addOption(
    new Option('--kernels <set>', 'force an instruction set')
      .env('LCQ_KERNELS')
      .default('', 'best'),
  )
  .option('--json', 'print JSON', false)
  .action(run);

async function run(model: string | undefined, options: Options): Promise<void> {
  checkNumbers(options);
  if (model === undefined) await compare(options);
  else await timeNodes(model, options);
}

function checkNumbers({ threads, batches, rounds }: Options): void {
  for (const [name, values] of Object.entries({ threads, batches, rounds: [rounds] })) {
    if (!values.every((value) => Number.isInteger(value) && value >= 1 && value <= 1024)) {
      throw new LcqError('INVALID_ARGUMENT', `--${name} must be integers from 1 to 1024`);
    }
  }
}

function chosen<T extends string>(option: string, names: readonly T[], all: readonly T[]): T[] {
  const unknown = names.find((name) => !all.includes(name));
  if (unknown === undefined) return all.filter((name) => names.includes(name));
  throw new LcqError('INVALID_ARGUMENT', `--${option}: '${unknown}' is none of ${all.join(', ')}`);
}

async function compare(options: Options): Promise<void> {
  const names = chosen('models', options.models, Object.keys(NETWORKS));
  const contestOptions: ContestOptions = {
    ...options,
    forms: chosen('forms', options.forms, FORMS),
  };
  const machine = { cpu: cpus()[0].model, node: process.version, sets: listKernels() };
  const available = machine.sets.filter((set) => set.available).map(({ name }) => name);
  if (!options.json) {
    console.log(`${machine.cpu}, ${machine.node}, kernels ${available.join(' ')}`);
  }
  const results = [];
  for (const name of names) {
    const result = await contest(NETWORKS[name](), contestOptions);
    results.push(result);
    if (options.json) continue;
    console.table(result.rows.map(speedRow));
    console.table(
      result.memory.map(({ fileMegabytes, peakMegabytes, ...row }) => {
        return { ...row, 'file MB': fileMegabytes.toFixed(1), 'peak MB': peakMegabytes.toFixed(1) };
      }),
    );
    printKernels(result.rows);
  }
  if (options.json) console.log(JSON.stringify({ machine, results }, null, 2));
}

function speedRow({ network, form, threads, batch, ...figures }: ContestRow) {
  const ratio = (value: number | undefined) => (value === undefined ? '' : value.toFixed(2));
  return {
    network,
    form,
    threads,
    batch,
    'ms/image': figures.median.toFixed(2),
    least: figures.least.toFixed(2),
    processor: figures.processor.toFixed(2),
    'x fp32': ratio(figures.overFp32),
    'x int8': ratio(figures.overInt8),
    'GMAC/s': figures.gmacs.toFixed(0),
  };
}

function printKernels(rows: readonly ContestRow[]): void {
  for (const form of new Set(rows.map((row) => row.form))) {
    const kernels = Object.entries(rows.find((row) => row.form === form)?.kernels ?? {});
    if (kernels.length) console.log(form, kernels.map(([name, n]) => `${n} ${name}`).join(', '));
  }
}

async function timeNodes(path: string, options: Options): Promise<void> {
  const [intraOpThreads] = options.threads;
  const session = await createLcqSession(path);
  const feeds = arbitraryFeeds(session.inputs, options.batches[0]);
  await session.dispose();
  const sessionOptions = { intraOpThreads, kernels: options.kernels };
  const nodes = await traceNodes(path, feeds, options.rounds, sessionOptions);
  const { layers } = summarize(decodeModel(await readFile(path)));
  const macs = new Map(layers.map((layer) => [layer.name, layer.macs]));
  const rows = nodes.map((node) => {
    const products = macs.get(node.name);
    const gmacs = products && (products * options.batches[0]) / node.milliseconds / 1e6;
    return { ...node, gmacs };
  });
  if (options.json) return console.log(JSON.stringify(rows, null, 2));
  console.table(
    rows.map(({ name, op, kernel = '', milliseconds, gmacs }) => {
      return { name, op, kernel, ms: milliseconds.toFixed(3), 'GMAC/s': gmacs?.toFixed(1) ?? '' };
    }),
  );
}
