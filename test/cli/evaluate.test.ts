import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BLOCK_LABELS, blockPicture, writeBlockDetector } from '../end-to-end/block-detector.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
const [BLUE, , RED] = BLOCK_LABELS;

const evaluate = (...args: string[]) =>
  spawnSync(process.execPath, [LCQ, 'evaluate', ...args], { encoding: 'utf8' });

let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'lcq-evaluate-'));
  await writeBlockDetector(join(root, 'models'));
  await mkdir(join(root, 'data', 'images'), { recursive: true });
  const blocks = { 'red.png': '#f00', 'blue.png': '#00f' };
  for (const [file, colour] of Object.entries(blocks)) {
    await blockPicture(64, 64, [{ colour, at: [1, 1] }]).toFile(join(root, 'data', 'images', file));
  }
  await writeAnnotations([BLUE, RED]);
});

after(() => rm(root, { recursive: true }));

/** The detector's boxes are [8, 8, 32, 32]: the red one is marked so, of the blue one only half. */
const writeAnnotations = ([blue, red]: readonly string[]) =>
  writeFile(
    join(root, 'data', 'annotations.json'),
    JSON.stringify({
      images: [
        { id: 1, file_name: 'red.png' },
        { id: 2, file_name: 'blue.png' },
      ],
      categories: [
        { id: 10, name: blue },
        { id: 11, name: red },
      ],
      annotations: [
        { id: 1, image_id: 1, category_id: 11, bbox: [8, 8, 32, 32] },
        { id: 2, image_id: 2, category_id: 10, bbox: [8, 8, 32, 16] },
      ],
    }),
  );

test('a detection model is measured against marked pictures, as JSON or a table', () => {
  const args = [join(root, 'models', 'blocks'), '--data', join(root, 'data')];
  const json = evaluate(...args, '--json', '--score-threshold', '0.5');
  assert.equal(json.status, 0, json.stderr);
  const [{ map, classes, ...figures }] = JSON.parse(json.stdout);
  assert.deepEqual(figures, {
    model: 'blocks/1',
    kernels: 'stock',
    images: 2,
    objects: 2,
    ap50: 1,
    ap75: 0.5,
  });
  // The blue one has an IoU of 0.5: right at one of ten thresholds.
  assert.ok(Math.abs(map - (1 + 0.1) / 2) < 1e-9);
  assert.deepEqual(
    classes.map(({ label, ap50 }: { label: string; ap50: number }) => [label, ap50]),
    [
      [BLUE, 1],
      [RED, 1],
    ],
  );
  const table = evaluate(...args, '--score-threshold', '0.5');
  assert.match(table.stdout, /blocks\/1.*55\.00 %.*100\.00 %.*50\.00 %/);
});

test('a category that the model does not know is one sentence, and status 1', async () => {
  await writeAnnotations(['giraffe', RED]);
  const { status, stderr } = evaluate(join(root, 'models', 'blocks'), '--data', join(root, 'data'));
  assert.equal(status, 1);
  assert.match(stderr, /^lcq: INVALID_ARGUMENT: category 'giraffe' is no class of the model\n$/m);
});
