import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  changeObjects,
  changePixels,
  randomChange,
} from '../../../src/training/detection/augmentation.js';
import type { MarkedImages } from '../../../src/training/detection/marked-images.js';
import { Random } from '../../../src/training/random.js';

const [HEIGHT, WIDTH] = [48, 64];
const OBJECT = { index: 0, x: 20, y: 10, width: 24, height: 16 };

/** A bright rectangle, where the object is, on black. */
function picture(): MarkedImages {
  const pixels = new Uint8Array(HEIGHT * WIDTH * 3);
  for (let y = OBJECT.y; y < OBJECT.y + OBJECT.height; y++) {
    for (let x = OBJECT.x; x < OBJECT.x + OBJECT.width; x++) {
      pixels.fill(200, (y * WIDTH + x) * 3, (y * WIDTH + x + 1) * 3);
    }
  }
  return { pixels, count: 1, height: HEIGHT, width: WIDTH, objects: [[OBJECT]], classes: ['any'] };
}

describe('augmentation of marked images', () => {
  const images = picture();

  test('boxes go where their objects go', () => {
    const settings = { scale: 1.25, shift: 0.1, brightness: 0 };
    let mirrored = 0;
    for (let seed = 1; seed <= 50; seed++) {
      const change = randomChange(images, settings, new Random(seed));
      if (change.mirrorX !== change.mirrorY) mirrored++;
      const changed = new Uint8Array(images.pixels.length);
      changePixels(images, 0, change, changed);
      const [box] = changeObjects(images.objects[0], images, change);
      // Brighter than the grey of the bars.
      const bright = Array.from({ length: HEIGHT * WIDTH }, (_, i) => i).filter(
        (i) => changed[i * 3] > 120,
      );
      const columns = bright.map((i) => i % WIDTH);
      const rows = bright.map((i) => Math.floor(i / WIDTH));
      const seen = [
        Math.min(...columns),
        Math.min(...rows),
        Math.max(...columns) + 1,
        Math.max(...rows) + 1,
      ];
      const told = [box.x, box.y, box.x + box.width, box.y + box.height];
      seen.forEach((edge, i) => {
        assert.ok(Math.abs(edge - told[i]) <= 1, `seed ${seed}: ${seen} against ${told}`);
      });
    }
    assert.ok(mirrored > 10 && mirrored < 40);
  });

  test('one stream of random numbers gives one picture, and no change leaves it as it is', () => {
    const same = { scale: 1, right: 0, down: 0, mirrorX: false, mirrorY: false, gains: [1, 1, 1] };
    const changed = new Uint8Array(images.pixels.length);
    changePixels(images, 0, same, changed);
    assert.deepEqual(changed, images.pixels);
    assert.deepEqual(changeObjects([OBJECT], images, same), [OBJECT]);
    const settings = { scale: 1.5, shift: 0.2, brightness: 0.3 };
    const drawn = () => randomChange(images, settings, new Random(3, 1, 4));
    assert.deepEqual(drawn(), drawn());
  });

  test('objects are cut off at the border, and no longer marked when little is left', () => {
    const moved = (right: number) =>
      changeObjects([OBJECT], images, {
        scale: 1,
        right,
        down: 0,
        mirrorX: false,
        mirrorY: false,
        gains: [1, 1, 1],
      });
    assert.deepEqual(moved(-30), [{ ...OBJECT, x: 0, width: 14 }]);
    assert.deepEqual(moved(-40), []);
    assert.deepEqual(moved(-100), []);
  });

  test('colours change by what is allowed, and stay in a byte', () => {
    const change = {
      ...randomChange(images, { scale: 1, shift: 0, brightness: 0 }, new Random(1)),
    };
    assert.deepEqual(change.gains, [1, 1, 1]);
    const changed = new Uint8Array(images.pixels.length);
    changePixels(images, 0, { ...change, gains: [2, 1, 0.5] }, changed);
    assert.equal(Math.max(...changed.filter((_, i) => i % 3 === 0)), 255);
    assert.equal(Math.max(...changed.filter((_, i) => i % 3 === 2)), 100);
  });
});
