/** The command `npm run bench:peers`: our server and another, on the same network, cores and pictures. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { LcqError } from '../../src/errors.js';
import type { Cores } from '../pinned-process.js';
import { seededRandom } from '../random.js';
import { figure } from '../report/tables.js';
import { type ContenderResult, compare, type LabelledPicture } from './compare.js';
import { litServe, ours } from './contender.js';
import { pythonWithPeers, quantizeInt8 } from './python.js';

interface Options {
  readonly data: string;
  readonly out: string;
  readonly pictures: number;
  readonly serverCores?: Cores;
  readonly clientCores?: Cores;
  readonly within: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly from: number;
}

const models = fileURLToPath(new URL('../../../models/', import.meta.url));
const FP32 = 'resnet20-cifar10-fp32';
const W4A4 = 'resnet20-cifar10-w4a4';
const W2A2 = 'resnet20-cifar10-w2a2';
/** As the packaged models have it. */
const MAX_BATCH = 16;
const CALIBRATION_PICTURES = 200;

await new Command('bench:peers')
  .description('Compares servers by the highest rate of pictures that they hold within a p99.')
  .requiredOption('--data <dir>', 'CIFAR-10 as files: test/CLASS/*.jpg')
  .option('--out <folder>', 'environment, int8 model and results', 'runs/peers')
  .option('--pictures <count>', 'for the accuracy', Number, 500)
  .option('--server-cores <list>', 'as taskset lists them')
  .option('--client-cores <list>', 'those of the generator, its alone')
  .option('--within <ms>', 'bound of the p99', Number, 50)
  .option('--seconds <count>', 'of each rate that is tried', Number, 10)
  .option('--rounds <count>', 'in turns', Number, 2)
  .option('--from <rate>', 'first rate that is tried', Number, 20)
  .action(async (options: Options) => {
    try {
      await main(options);
    } catch (thrown) {
      process.stderr.write(`bench:peers: ${LcqError.from(thrown).message}\n`);
      if (!(thrown instanceof LcqError)) throw thrown;
      process.exitCode = 1;
    }
  })
  .parseAsync();

async function main(options: Options): Promise<void> {
  await mkdir(options.out, { recursive: true });
  const files = await shuffledFiles(options.data);
  const python = await pythonWithPeers(join(options.out, 'venv'));
  const fp32 = join(models, FP32, '1/model.onnx');
  const int8 = join(options.out, 'int8.onnx');
  // Not those that the accuracy is measured on.
  const calibration = files.slice(options.pictures).slice(0, CALIBRATION_PICTURES);
  await quantizeInt8(
    python,
    fp32,
    int8,
    calibration.map(({ path }) => path),
  );
  const contenders = [
    ours('lcq-serving, LCQ W4A4', W4A4),
    ours('lcq-serving, LCQ W2A2', W2A2),
    ours('lcq-serving, fp32', FP32),
    litServe('LitServe, int8', python, int8, MAX_BATCH),
    litServe('LitServe, fp32', python, fp32, MAX_BATCH),
  ];
  const results = await compare(contenders, {
    generators: { processes: 1, cores: options.clientCores },
    serverCores: options.serverCores,
    folder: join(options.data, 'test'),
    pictures: await read(files.slice(0, options.pictures)),
    goodWithinMs: options.within,
    seconds: options.seconds,
    rounds: options.rounds,
    searchFrom: options.from,
  });
  await writeFile(join(options.out, 'peers.json'), `${JSON.stringify({ options, results })}\n`);
  process.stdout.write(markdown(results, options));
}

interface LabelledFile {
  readonly path: string;
  readonly label: number;
}

/** In an order that is always the same; classes are numbered by name. */
async function shuffledFiles(data: string): Promise<LabelledFile[]> {
  const root = join(data, 'test');
  const classes = await readdir(root).catch((cause: unknown) => {
    throw new LcqError('NOT_FOUND', `cannot read ${root}`, { cause });
  });
  const files: LabelledFile[] = [];
  for (const [label, name] of classes.sort().entries()) {
    const names = (await readdir(join(root, name))).sort();
    files.push(...names.map((file) => ({ path: join(root, name, file), label })));
  }
  const random = seededRandom(1);
  const keyed = files.map((file) => ({ file, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ file }) => file);
}

function read(files: readonly LabelledFile[]): Promise<LabelledPicture[]> {
  return Promise.all(
    files.map(async ({ path, label }) => ({ bytes: await readFile(path), label })),
  );
}

/** The best round counts: what else the machine did can only have slowed it. */
function markdown(results: readonly ContenderResult[], options: Options): string {
  const { within, pictures, serverCores, clientCores, rounds } = options;
  const head = `| server | top-1 of ${pictures} | rate within ${within} ms p99, /s | RSS MB | /s per MB |`;
  const rows = results.map(({ name, accuracy, rates, rss, isGeneratorLimited }) => {
    const rate = Math.max(...rates);
    const told = `${isGeneratorLimited ? '>= ' : ''}${figure(rate)} (${rates.map(figure).join(', ')})`;
    return `| ${name} | ${(accuracy * 100).toFixed(1)} % | ${told} | ${figure(rss)} | ${figure(rate / rss)} |`;
  });
  const where = `servers on cores ${serverCores ?? 'any'}, generator on ${clientCores ?? 'any'}`;
  return `${[head, '|---|---|---|---|---|', ...rows].join('\n')}\n\n${where}, ${rounds} rounds\n`;
}
