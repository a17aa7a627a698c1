import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Box,
  boxInPicture,
  intersectionOverUnion,
  type PicturePlacement,
} from '../../src/vision/boxes.js';

const box = (x: number, y: number, width: number, height: number): Box => ({ x, y, width, height });

/** A picture of 200 x 100 in an input of 100 x 100: halved, with a bar of 25 above and below. */
const HALVED: PicturePlacement = {
  width: 200,
  height: 100,
  scaleX: 0.5,
  scaleY: 0.5,
  left: 0,
  top: 25,
};

test('intersection over union of boxes that meet, touch, contain each other, or are empty', () => {
  const unit = box(0, 0, 10, 10);
  assert.equal(intersectionOverUnion(unit, unit), 1);
  assert.equal(intersectionOverUnion(unit, box(5, 0, 10, 10)), 50 / 150);
  assert.equal(intersectionOverUnion(unit, box(2, 3, 4, 5)), 20 / 100);
  assert.equal(intersectionOverUnion(unit, box(10, 0, 10, 10)), 0);
  assert.equal(intersectionOverUnion(unit, box(-30, -30, 5, 5)), 0);
  assert.equal(intersectionOverUnion(box(3, 3, 0, 0), box(3, 3, 0, 0)), 0);
});

test('property: intersection over union counts the pixels of whole boxes', () => {
  const whole = fc.record({
    x: fc.nat(12),
    y: fc.nat(12),
    width: fc.integer({ min: 1, max: 8 }),
    height: fc.integer({ min: 1, max: 8 }),
  });
  const covers = (b: Box, x: number, y: number) =>
    x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height;
  fc.assert(
    fc.property(whole, whole, (a, b) => {
      let shared = 0;
      let either = 0;
      for (let y = 0; y < 20; y++) {
        for (let x = 0; x < 20; x++) {
          if (covers(a, x, y) && covers(b, x, y)) shared += 1;
          if (covers(a, x, y) || covers(b, x, y)) either += 1;
        }
      }
      assert.equal(intersectionOverUnion(a, b), shared / either);
    }),
    { seed: 1 },
  );
});

test('a box goes back to the pixels of the picture', () => {
  assert.deepEqual(boxInPicture(box(10, 35, 20, 30), HALVED), box(20, 20, 40, 60));
  // Rounded to 1/64: 10.01 / 0.5 = 20.02.
  assert.deepEqual(boxInPicture(box(10.01, 35, 20, 30), HALVED), box(20.015625, 20, 40, 60));
});

test('a box is cut off at the borders; one outside, empty or not a number is none', () => {
  assert.deepEqual(boxInPicture(box(-5, 0, 500, 500), HALVED), box(0, 0, 200, 100));
  for (const gone of [
    box(10, 0, 20, 25),
    box(100, 40, 20, 20),
    box(10, 35, 0, 30),
    box(10, 35, 0.001, 30),
    box(10, 35, -4, 30),
    box(Number.NaN, 35, 20, 30),
    box(10, 35, Number.NaN, 30),
  ]) {
    assert.equal(boxInPicture(gone, HALVED), undefined);
  }
  assert.deepEqual(boxInPicture(box(-Infinity, 30, Infinity, 10), HALVED), undefined);
  assert.deepEqual(boxInPicture(box(-10, 30, Infinity, 10), HALVED), box(0, 10, 200, 20));
});

test('property: a box never leaves the picture, in binary32 either', () => {
  const coordinate = fc.double({ min: -1e4, max: 1e4, noNaN: true });
  const size = fc.integer({ min: 1, max: 20_000 });
  fc.assert(
    fc.property(
      fc.record({ x: coordinate, y: coordinate, width: coordinate, height: coordinate }),
      fc.record({ width: size, height: size }),
      fc.double({ min: 0.01, max: 10, noNaN: true }),
      (detected, picture, scale) => {
        const placement = { ...picture, scaleX: scale, scaleY: scale, left: 3, top: 5 };
        const found = boxInPicture(detected, placement);
        if (found === undefined) return;
        const [x, y, width, height] = Float32Array.of(found.x, found.y, found.width, found.height);
        assert.deepEqual(found, { x, y, width, height });
        assert.ok(x >= 0 && width > 0 && Math.fround(x + width) <= picture.width);
        assert.ok(y >= 0 && height > 0 && Math.fround(y + height) <= picture.height);
      },
    ),
    { seed: 64 },
  );
});
