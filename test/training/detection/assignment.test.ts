import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { assignCells, TARGET } from '../../../src/training/detection/assignment.js';
import type { MarkedObject } from '../../../src/training/detection/marked-images.js';

const SIZE = [48, 64] as const;
const [ROWS, COLUMNS] = [6, 8];
const CLASSES = 3;
const WIDTH = TARGET.classes + CLASSES;

/** Rows of the target by cell, only those with an object. */
function assigned(objects: readonly MarkedObject[]): Map<string, number[]> {
  const target = assignCells(objects, CLASSES, SIZE);
  assert.equal(target.length, ROWS * COLUMNS * WIDTH);
  const found = new Map<string, number[]>();
  for (let cell = 0; cell < ROWS * COLUMNS; cell++) {
    const row = Array.from(target.subarray(cell * WIDTH, (cell + 1) * WIDTH));
    if (row[TARGET.assigned] === 1)
      found.set(`${Math.floor(cell / COLUMNS)},${cell % COLUMNS}`, row);
    else assert.ok(row.every((v) => v === 0));
  }
  return found;
}

describe('assignment of objects to cells', () => {
  test('the cells around the centre get box and class, the box from their own corner in strides', () => {
    const cells = assigned([{ index: 1, x: 4, y: 8, width: 40, height: 24 }]);
    // The centre is (24, 20), a border between columns: four are within 1.5 strides, of rows three, all inside the box.
    assert.deepEqual([...cells.keys()], ['1,2', '1,3', '2,2', '2,3', '3,2', '3,3']);
    assert.deepEqual(cells.get('1,2'), [1, 1.5, 5, 3, 1, 1, 0, 0, 1, 0]);
    assert.deepEqual(cells.get('3,3'), [0, -0.5, 5, 3, 1, 1, 0, 0, 1, 0]);
  });

  test('an object smaller than a cell still gets the cell of its centre', () => {
    const cells = assigned([{ index: 0, x: 17, y: 1, width: 1, height: 1 }]);
    assert.deepEqual([...cells.keys()], ['0,2']);
  });

  test('of two objects the smaller gets a shared cell, in either order', () => {
    const large = { index: 0, x: 0, y: 0, width: 48, height: 48 };
    const small = { index: 2, x: 16, y: 16, width: 8, height: 8 };
    for (const objects of [
      [large, small],
      [small, large],
    ]) {
      const shared = assigned(objects).get('2,2') as number[];
      assert.deepEqual(shared.slice(TARGET.classes), [0, 0, 1]);
    }
  });

  test('every object gets a cell unless smaller ones took them all, and cells lead back to boxes', () => {
    const object = fc
      .record({
        index: fc.nat(CLASSES - 1),
        x: fc.integer({ min: 0, max: 60 }),
        y: fc.integer({ min: 0, max: 44 }),
        width: fc.integer({ min: 1, max: 64 }),
        height: fc.integer({ min: 1, max: 48 }),
      })
      .filter(({ x, y, width, height }) => x + width <= 64 && y + height <= 48);
    fc.assert(
      fc.property(object, (only) => {
        const cells = assigned([only]);
        assert.ok(cells.size > 0);
        for (const [key, [dx, dy, width, height]] of cells) {
          const [row, column] = key.split(',').map(Number);
          assert.equal(width * 8, only.width);
          assert.equal(height * 8, only.height);
          assert.equal((column + dx) * 8 - only.width / 2, only.x);
          assert.equal((row + dy) * 8 - only.height / 2, only.y);
        }
      }),
    );
  });
});
