/**
 * What the parts of the method are worth: trains the same network with each part left out, several seeds each, and prints
 * the mean and the spread of their accuracy on the test files.
 *   npm run ablation -- --data cifar10 --from runs/fp32/last.onnx --out runs/ablation
 * Runs that are there already are not repeated, one that was stopped goes on.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const PARTS = {
  whole: [],
  'no companding': ['--no-companding'],
  'no weight normalization': ['--no-weight-normalization'],
};

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    from: { type: 'string' },
    out: { type: 'string' },
    bits: { type: 'string', default: 'w2a2,w3a3' },
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '1' },
    rate: { type: 'string', default: '0.04' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
for (const name of ['data', 'from', 'out']) {
  if (options[name] !== undefined) continue;
  console.error(`ablation: --${name} is missing`);
  process.exit(1);
}

const folderOf = ({ bits, part, seed }) =>
  join(options.out, `${bits}-${part.replaceAll(' ', '-')}-${seed}`);

/** Top-1 on the test files after the last epoch, in per cent; undefined for a run that is not there or not done. */
function accuracyOf(run) {
  const log = join(folderOf(run), 'log.jsonl');
  if (!existsSync(log)) return;
  const last = JSON.parse(readFileSync(log, 'utf8').trim().split('\n').at(-1));
  return last.epoch === Number(options.epochs) ? 100 * last.testAccuracy : undefined;
}

function train(run) {
  const { bits, part, seed } = run;
  const folder = folderOf(run);
  const { data, from, epochs, rate } = options;
  const command = [
    ...['dist/src/cli/lcq.js', 'train', '--data', data, '--out', folder, '--threads', '1'],
    ...['--from', from, '--teacher', from, '--bits', bits, '--seed', String(seed)],
    ...['--epochs', epochs, '--rate', rate, '--warmup', '0.1', '--weight-decay', '1e-4'],
    ...PARTS[part],
    ...(existsSync(join(folder, 'last.onnx')) ? ['--resume'] : []),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`the training in ${folder} failed`));
    });
  });
}

/** Seed by seed, so that there is something to compare early. */
const seeds = Array.from({ length: Number(options.seeds) }, (_, i) => i + 1);
const cells = options.bits
  .split(',')
  .flatMap((bits) => Object.keys(PARTS).map((part) => ({ bits, part })));
const runs = seeds.flatMap((seed) => cells.map((cell) => ({ ...cell, seed })));

const waiting = runs.filter((run) => accuracyOf(run) === undefined);
async function work() {
  for (let run = waiting.shift(); run; run = waiting.shift()) {
    await train(run);
    console.error(`${run.bits}, ${run.part}, seed ${run.seed}: ${accuracyOf(run).toFixed(2)} %`);
  }
}
await Promise.all(Array.from({ length: Number(options.jobs) }, work));

const rows = cells.map(({ bits, part }) => {
  const top1 = seeds.map((seed) => accuracyOf({ bits, part, seed }));
  const mean = top1.reduce((a, b) => a + b) / top1.length;
  const squares = top1.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { bits, part, top1, mean, deviation: Math.sqrt(squares / Math.max(1, top1.length - 1)) };
});
if (options.json) console.log(JSON.stringify(rows, null, 2));
else {
  const percent = (value) => value.toFixed(2);
  console.table(
    rows.map((row) => ({
      ...row,
      top1: row.top1.map(percent).join(' '),
      mean: percent(row.mean),
      deviation: percent(row.deviation),
    })),
  );
}
