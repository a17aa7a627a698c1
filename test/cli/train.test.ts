import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { decodeModel } from '../../src/onnx/serde.js';
import { Random } from '../../src/training/random.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));

/** Two classes of 32x32 images, dark and bright, with noise. */
async function writeDataSet(folder: string): Promise<void> {
  const random = new Random(1);
  for (const [part, count] of [
    ['train', 24],
    ['test', 6],
  ] as const) {
    for (const [label, base] of [
      ['bright', 150],
      ['dark', 60],
    ] as const) {
      await mkdir(join(folder, part, label), { recursive: true });
      for (let i = 0; i < count; i++) {
        const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, () => base + random.integer(50));
        const raw = { width: 32, height: 32, channels: 3 as const };
        await sharp(pixels, { raw })
          .jpeg()
          .toFile(join(folder, part, label, `${i}.jpg`));
      }
    }
  }
}

describe('lcq train', () => {
  let folder: string;
  const lcq = (...args: string[]): ChildProcess & { output: string } => {
    const child = Object.assign(spawn(process.execPath, [LCQ, 'train', ...args]), { output: '' });
    child.stderr.on('data', (chunk) => {
      child.output += chunk;
    });
    return child;
  };
  const finish = async (child: ChildProcess & { output: string }) => {
    const [status] = await once(child, 'close');
    return { status, output: child.output };
  };
  const logged = async (run: string): Promise<number[]> => {
    const lines = (await readFile(join(folder, run, 'log.jsonl'), 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line).epoch);
  };
  const small = () => ['--data', join(folder, 'data'), '--batch', '16', '--threads', '1'];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lcq-train-'));
    await writeDataSet(join(folder, 'data'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('a killed run is resumed; its network is then trained at 2 bits and published', async () => {
    const full = join(folder, 'full');
    const first = lcq(...small(), '--out', full, '--epochs', '3', '--warmup', '1');
    while (!first.output.includes('epoch 1/3'))
      await once(first.stderr as NodeJS.EventEmitter, 'data');
    first.kill('SIGKILL');
    await once(first, 'close');
    await access(join(full, 'last.onnx'));
    const resumed = await finish(lcq(...small(), '--out', full, '--resume'));
    assert.equal(resumed.status, 0, resumed.output);
    assert.match(resumed.output, /epoch 3\/3, loss [\d.]+, accuracy [\d.]+ %, test [\d.]+ %/);
    assert.equal((await logged('full')).at(-1), 3);

    const from = join(full, 'last.onnx');
    const published = join(folder, 'models', 'tiny');
    const quantized = await finish(
      lcq(
        ...[...small(), '--from', from, '--teacher', from, '--bits', 'w2a2', '--epochs', '1'],
        ...['--rate', '0.01', '--out', join(folder, 'low'), '--publish', published],
      ),
    );
    assert.equal(quantized.status, 0, quantized.output);
    assert.deepEqual(await logged('low'), [1]);
    const model = decodeModel(await readFile(join(published, '1', 'model.onnx')));
    assert.ok(model.graph.nodes.every((node) => node.domain === 'lcq'));
    assert.equal(await readFile(join(published, 'labels.txt'), 'utf8'), 'bright\ndark\n');
    const config = JSON.parse(await readFile(join(published, 'config.json'), 'utf8'));
    assert.equal(config.task, 'classification');
  });

  test('a servable model is a start and a teacher, by its folder or its file', async () => {
    const served = join(folder, 'models', 'full');
    const scratch = ['--epochs', '1', '--warmup', '0', '--rate', '0.01'];
    const first = await finish(
      lcq(...small(), ...scratch, '--out', join(folder, 'served'), '--publish', served),
    );
    assert.equal(first.status, 0, first.output);
    const low = ['--bits', 'w3a3', '--from', served, '--publish', join(folder, 'models', 'low')];
    const teacher = ['--teacher', join(served, '1', 'model.onnx')];
    const second = await finish(
      lcq(...small(), ...scratch, ...low, ...teacher, '--out', join(folder, 'from-served')),
    );
    assert.equal(second.status, 0, second.output);

    const refused = async (option: string, path: string) => {
      const out = join(folder, 'refused');
      const { status, output } = await finish(lcq(...small(), '--out', out, option, path));
      assert.equal(status, 1);
      return output.trim().split('\n').at(-1);
    };
    assert.match(
      (await refused('--from', join(folder, 'models', 'low'))) as string,
      /UNSUPPORTED: the network of --from cannot be trained: node '.*': op lcq:\w+ has no gradient rule/,
    );
    await writeFile(join(served, 'labels.txt'), 'day\nnight\n');
    assert.match(
      (await refused('--from', served)) as string,
      /INVALID_ARGUMENT: --from has the classes day,night; --data has bright,dark/,
    );
    await rm(join(served, 'labels.txt'));
    assert.match(
      (await refused('--teacher', join(served, '1', 'model.onnx'))) as string,
      /NOT_FOUND: '.*model\.onnx' is not a checkpoint of lcq train, and its classes are not in/,
    );
  });

  for (const [name, args, message] of [
    ['a number that is none', ['--epochs', 'many'], /option '--epochs <n>'.*positive integer/],
    ['a run that exists', ['--out', 'full'], /INVALID_ARGUMENT: .* holds a run already/],
    ['no run to resume', ['--out', 'none', '--resume'], /NOT_FOUND: checkpoint .* cannot be read/],
    ['bits that are none', ['--bits', 'w1a1'], /INVALID_ARGUMENT: bits must be like w2a2/],
    ['fewer images than a batch', ['--batch', '64'], /48 training images are fewer than one batch/],
    ['missing data', ['--data', 'nowhere'], /NOT_FOUND: data folder .* cannot be read/],
  ] as const) {
    test(`${name}: refused in one line`, async () => {
      const paths = args.map((arg, i) => (args[i - 1] === '--out' ? join(folder, arg) : arg));
      const out = join(folder, name.replaceAll(' ', '-'));
      const from = (args as readonly string[]).includes('--bits')
        ? ['--from', join(folder, 'full', 'last.onnx')]
        : [];
      const { status, output } = await finish(lcq(...small(), '--out', out, ...from, ...paths));
      assert.notEqual(status, 0);
      assert.match(output, message);
      assert.doesNotMatch(output, /\n\s+at /);
    });
  }
});
