import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { decodeModel } from '../../src/onnx/serde.js';
import { summarize } from '../../src/quantization/summary.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
const [WIDTH, HEIGHT] = [160, 120];

/** A red or a blue rectangle in each picture, in the form of Pascal VOC. */
async function writeDataSet(folder: string): Promise<void> {
  for (const part of ['Annotations', 'JPEGImages', 'ImageSets/Main']) {
    await mkdir(join(folder, part), { recursive: true });
  }
  for (const [split, count] of [
    ['train', 8],
    ['val', 3],
  ] as const) {
    const names = Array.from({ length: count }, (_, i) => `${split}${i}`);
    for (const [i, name] of names.entries()) {
      const [left, top, width, height] = [10 * i, 5 * i, 40 + 4 * i, 60];
      const [label, background] = i % 2 ? ['red', '#d02020'] : ['blue', '#2020d0'];
      const input = { create: { width, height, channels: 3 as const, background } };
      await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#888' } })
        .composite([{ input, left, top }])
        .jpeg()
        .toFile(join(folder, 'JPEGImages', `${name}.jpg`));
      const edges = { xmin: left, ymin: top, xmax: left + width, ymax: top + height };
      const box = Object.entries(edges).map(([edge, v]) => `<${edge}>${v}</${edge}>`);
      const object = `<object><name>${label}</name><bndbox>${box.join('')}</bndbox></object>`;
      const xml = `<annotation>${object}</annotation>`;
      await writeFile(join(folder, 'Annotations', `${name}.xml`), xml);
    }
    await writeFile(join(folder, 'ImageSets', 'Main', `${split}.txt`), names.join('\n'));
  }
}

describe('lcq train on marked pictures', () => {
  let folder: string;
  const lcq = (...args: string[]) =>
    spawnSync(process.execPath, [LCQ, ...args], { encoding: 'utf8' });
  const common = () => ['--data', join(folder, 'data'), '--batch', '4', '--threads', '1'];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lcq-train-detector-'));
    await writeDataSet(join(folder, 'data'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('a detector is trained, then at 2 bits with a teacher, published and evaluated', async () => {
    const full = lcq('train', ...common(), '--out', join(folder, 'full'), '--epochs', '1');
    assert.equal(full.status, 0, full.stderr);
    assert.match(full.stderr, /epoch 1\/1, loss [\d.]+, val AP50 [\d.]+ %/);
    const [line] = (await readFile(join(folder, 'full', 'log.jsonl'), 'utf8')).split('\n');
    const logged = JSON.parse(line);
    assert.deepEqual(Object.keys(logged), ['epoch', 'loss', 'valAp50', 'seconds']);

    const from = join(folder, 'full', 'last.onnx');
    const published = join(folder, 'models', 'shapes');
    const low = lcq(
      ...['train', ...common(), '--from', from, '--teacher', from, '--bits', 'w2a2'],
      ...['--epochs', '1', '--out', join(folder, 'low'), '--publish', published],
    );
    assert.equal(low.status, 0, low.stderr);
    const { layers } = summarize(decodeModel(await readFile(join(published, '1', 'model.onnx'))));
    assert.deepEqual(
      layers.map(({ bits }) => bits),
      [8, ...new Array(9).fill(2), 8],
    );
    assert.equal(await readFile(join(published, 'labels.txt'), 'utf8'), 'blue\nred\n');

    const evaluated = lcq(
      'evaluate',
      published,
      '--data',
      join(folder, 'data'),
      '--split',
      'val',
      '--json',
    );
    assert.equal(evaluated.status, 0, evaluated.stderr);
    assert.equal(JSON.parse(evaluated.stdout)[0].objects, 3);
  });

  for (const [name, damage, message] of [
    [
      'an annotation that is malformed',
      (data: string) =>
        writeFile(
          join(data, 'Annotations', 'train3.xml'),
          '<annotation><object></object></annotation>',
        ),
      /^lcq: INVALID_ARGUMENT: .*train3\.xml: annotation: object\[0\] has no <name>/,
    ],
    [
      'a split without an object',
      (data: string) =>
        writeFile(join(data, 'ImageSets', 'Main', 'val.txt'), 'empty').then(() =>
          writeFile(join(data, 'Annotations', 'empty.xml'), '<annotation></annotation>'),
        ),
      /^lcq: INVALID_ARGUMENT: '.*' marks no object in its split 'val'/,
    ],
    [
      'a picture that is none',
      (data: string) => writeFile(join(data, 'JPEGImages', 'val1.jpg'), 'no picture'),
      /^lcq: INVALID_ARGUMENT: picture '.*val1\.jpg': the image is not a JPEG/,
    ],
    [
      'a picture that is missing',
      (data: string) => rm(join(data, 'JPEGImages', 'train0.jpg')),
      /^lcq: NOT_FOUND: picture '.*train0\.jpg' cannot be read/,
    ],
  ] as const) {
    test(`${name}: refused in one line`, async () => {
      const data = join(folder, name.replaceAll(' ', '-'));
      await cp(join(folder, 'data'), data, { recursive: true });
      await damage(data);
      const out = join(folder, 'refused');
      const { status, stderr } = lcq('train', '--data', data, '--out', out, '--threads', '1');
      assert.equal(status, 1);
      const lines = stderr
        .trim()
        .split('\n')
        .filter((line) => !line.startsWith('decode '));
      assert.equal(lines.length, 1, stderr);
      assert.match(lines[0], message);
    });
  }

  test('a classifier does not learn from marked pictures', () => {
    const { status, stderr } = lcq(
      ...['train', ...common(), '--out', join(folder, 'none'), '--network', 'resnet20'],
    );
    assert.equal(status, 1);
    assert.equal(
      stderr,
      'lcq: INVALID_ARGUMENT: --network resnet20 does not learn from marked pictures\n',
    );
  });
});
