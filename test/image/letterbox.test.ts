import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { placePicture } from '../../src/image/letterbox.js';

const target = (position: 'end' | 'around') => ({ width: 416, height: 320, padding: { position } });

test('the longer side fills the target, the shorter keeps the aspect ratio', () => {
  const wide = { width: 832, height: 416 };
  assert.deepEqual(placePicture(wide, target('end')), { left: 0, top: 0, width: 416, height: 208 });
  assert.deepEqual(placePicture(wide, target('around')), {
    left: 0,
    top: 56,
    width: 416,
    height: 208,
  });
  const tall = { width: 10, height: 40 };
  assert.deepEqual(placePicture(tall, target('around')), {
    left: 168,
    top: 0,
    width: 80,
    height: 320,
  });
});

test('property: the picture lies inside the target, touches two sides, and is never empty', () => {
  const size = fc.integer({ min: 1, max: 70_000 });
  const side = fc.integer({ min: 1, max: 2000 });
  fc.assert(
    fc.property(
      fc.record({ width: size, height: size }),
      fc.record({ width: side, height: side }),
      fc.constantFrom('end' as const, 'around' as const),
      (picture, { width, height }, position) => {
        const placed = placePicture(picture, { width, height, padding: { position } });
        assert.ok(placed.width >= 1 && placed.height >= 1);
        assert.ok(placed.left >= 0 && placed.left + placed.width <= width);
        assert.ok(placed.top >= 0 && placed.top + placed.height <= height);
        assert.ok(placed.width === width || placed.height === height);
      },
    ),
    { seed: 4160 },
  );
});
