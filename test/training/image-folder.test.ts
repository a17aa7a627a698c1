import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { shiftedBatch } from '../../src/training/batches.js';
import { readImageFolder } from '../../src/training/image-folder.js';
import { Random } from '../../src/training/random.js';

async function writePng(path: string, size: number, rgb: [number, number, number]): Promise<void> {
  const [r, g, b] = rgb;
  const create = { width: size, height: size, channels: 3 as const, background: { r, g, b } };
  await sharp({ create }).png().toFile(path);
}

describe('a folder of class folders', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lcq-images-'));
    for (const name of ['good/cat', 'good/ape', 'uneven/cat', 'broken/cat', 'empty/cat']) {
      await mkdir(join(folder, name), { recursive: true });
    }
    await writePng(join(folder, 'good/cat/b.png'), 4, [10, 20, 30]);
    await writePng(join(folder, 'good/cat/a.png'), 4, [40, 50, 60]);
    await writePng(join(folder, 'good/ape/z.png'), 4, [70, 80, 90]);
    await writeFile(join(folder, 'good/notes.txt'), 'not an image');
    await writePng(join(folder, 'uneven/cat/wide.png'), 5, [0, 0, 0]);
    await writeFile(join(folder, 'broken/cat/x.jpg'), 'not an image');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('is read in the order of names', async () => {
    const images = await readImageFolder(join(folder, 'good'), 4);
    assert.deepEqual(images.classes, ['ape', 'cat']);
    assert.deepEqual([...images.labels], [0, 1, 1]);
    assert.deepEqual(
      [0, 1, 2].map((i) => [...images.pixels.subarray(i * 48, i * 48 + 3)]),
      [
        [70, 80, 90],
        [40, 50, 60],
        [10, 20, 30],
      ],
    );
  });

  for (const [name, code, message] of [
    ['absent', 'NOT_FOUND', /absent' cannot be read/],
    ['empty', 'NOT_FOUND', /no images/],
    ['uneven', 'INVALID_ARGUMENT', /wide\.png' is 5x5x3, not 4x4x3/],
    ['broken', 'INVALID_ARGUMENT', /x\.jpg' cannot be decoded/],
  ] as const) {
    test(`${name}: refused by name`, async () => {
      await assert.rejects(readImageFolder(join(folder, name), 4), { code, message });
    });
  }

  test('augmentation moves and mirrors', async () => {
    const size = 6;
    const pixels = Uint8Array.from({ length: size * size * 3 }, (_, i) => i);
    const images = { pixels, count: 1, height: size, width: size };
    const at = (data: Uint8Array, i: number, y: number, x: number) =>
      data[((i * size + y) * size + x) * 3];
    const count = 200;
    const shift = 2;
    const batch = shiftedBatch(images, new Array(count).fill(0), new Random(1), shift, 255);
    const seen = new Set<string>();
    for (let i = 0; i < count; i++) {
      const matches: string[] = [];
      for (let dy = -shift; dy <= shift; dy++) {
        for (let dx = -shift; dx <= shift; dx++) {
          for (const mirrored of [false, true]) {
            let same = true;
            for (let y = 0; y < size; y++) {
              for (let x = 0; x < size; x++) {
                const [sy, sx] = [y - dy, x - dx];
                const inside = sy >= 0 && sy < size && sx >= 0 && sx < size;
                const expected = inside ? at(pixels, 0, sy, mirrored ? size - 1 - sx : sx) : 255;
                same &&= at(batch, i, y, x) === expected;
              }
            }
            if (same) matches.push(`${dy},${dx},${mirrored}`);
          }
        }
      }
      assert.equal(matches.length, 1, `image ${i} is one move of the original`);
      seen.add(matches[0]);
    }
    assert.ok(seen.size > 40, `${seen.size} of 50 moves were drawn`);
  });
});
