import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TensorSpec } from '../../src/runtime/session.js';
import { MAX_CANDIDATES } from '../../src/vision/detection.js';
import { yoloxDecoder } from '../../src/vision/yolox.js';

/** 64 x 32 pixels: 8 x 4 cells of stride 8, then 4 x 2 of stride 16. */
const INPUT = { width: 64, height: 32 };
const OUTPUT = { name: 'boxes', strides: [8, 16] };
const CELLS = 40;
const COLUMNS = 7;

const spec = (shape: readonly number[], over: Partial<TensorSpec> = {}): TensorSpec => ({
  name: 'boxes',
  datatype: 'FP32',
  shape,
  ...over,
});
const decoder = yoloxDecoder(OUTPUT, INPUT, [spec([1, CELLS, COLUMNS])]);
const tensor = (data: Float32Array) => ({
  boxes: { datatype: 'FP32', shape: [1, CELLS, COLUMNS], data } as const,
});

test('a cell becomes a box, by hand', () => {
  const data = new Float32Array(CELLS * COLUMNS);
  // Column 3, row 2 of the first map; 2 * 8 wide, 3 * 8 high.
  data.set([0.5, 0.25, Math.log(2), Math.log(3), 0.5, 0.25, 0.75], (2 * 8 + 3) * COLUMNS);
  // Column 1, row 1 of the second map; one stride wide and high.
  data.set([-0.5, 0.5, 0, 0, 1, 0.5, 0.25], (32 + 4 + 1) * COLUMNS);
  const [second, first, ...none] = decoder.decode(tensor(data), 0.3);
  assert.deepEqual(none, []);
  assert.equal(decoder.classes, 2);
  assert.deepEqual(second, {
    index: 0,
    score: 0.5,
    box: { x: 0.5 * 16 - 8, y: 1.5 * 16 - 8, width: 16, height: 16 },
  });
  assert.equal(first.index, 1);
  assert.equal(first.score, 0.375);
  assert.ok(Math.abs(first.box.width - 16) < 1e-5 && Math.abs(first.box.height - 24) < 1e-5);
  assert.ok(Math.abs(first.box.x - (3.5 * 8 - 8)) < 1e-5);
  assert.ok(Math.abs(first.box.y - (2.25 * 8 - 12)) < 1e-5);
});

test('the threshold is included, and the first of equal classes counts', () => {
  const data = new Float32Array(CELLS * COLUMNS);
  data.set([0, 0, 0, 0, 0.5, 0.5, 0.5], 0);
  assert.equal(decoder.decode(tensor(data), 0.25)[0].index, 0);
  assert.deepEqual(decoder.decode(tensor(data), 0.2501), []);
});

test('values that are not numbers are no detections', () => {
  const data = new Float32Array(CELLS * COLUMNS).fill(Number.NaN);
  assert.deepEqual(decoder.decode(tensor(data), 0), []);
});

test('candidates are bounded', () => {
  const input = { width: 416, height: 416 };
  const big = yoloxDecoder({ name: 'boxes', strides: [8, 16, 32] }, input, [spec([-1, 3549, 6])]);
  const data = Float32Array.from({ length: 3549 * 6 }, () => 1);
  const boxes = { datatype: 'FP32', shape: [1, 3549, 6], data } as const;
  assert.equal(big.decode({ boxes }, 0).length, MAX_CANDIDATES);
});

test('property: it agrees with upstream’s whole-tensor form', () => {
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  const cell = fc.tuple(
    ...Array.from({ length: 4 }, () => fc.double({ min: -3, max: 3, noNaN: true })),
    unit,
    unit,
    unit,
  );
  fc.assert(
    fc.property(
      fc.array(cell, { minLength: CELLS, maxLength: CELLS }),
      unit,
      (cells, threshold) => {
        const data = Float32Array.from(cells.flat());
        const expected = referenceBoxes(data)
          .filter(({ score }) => score >= threshold)
          .sort((a, b) => b.score - a.score);
        assert.deepEqual(decoder.decode(tensor(data), threshold), expected);
      },
    ),
    { seed: 2021, numRuns: 50 },
  );
});

/** Grids and strides expanded for all cells, then (xy + grid) * stride and exp(wh) * stride. */
function referenceBoxes(data: Float32Array) {
  const grids: [number, number, number][] = [];
  for (const stride of OUTPUT.strides) {
    for (let y = 0; y < INPUT.height / stride; y++) {
      for (let x = 0; x < INPUT.width / stride; x++) grids.push([x, y, stride]);
    }
  }
  return grids.map(([gridX, gridY, stride], cell) => {
    const row = data.subarray(cell * COLUMNS, (cell + 1) * COLUMNS);
    const centreX = (row[0] + gridX) * stride;
    const centreY = (row[1] + gridY) * stride;
    const [width, height] = [Math.exp(row[2]) * stride, Math.exp(row[3]) * stride];
    const index = row[6] > row[5] ? 1 : 0;
    const box = { x: centreX - width / 2, y: centreY - height / 2, width, height };
    return { index, score: Math.fround(row[4] * row[5 + index]), box };
  });
}

test('a model whose output does not fit is refused', () => {
  const refuses = (specs: TensorSpec[], message: RegExp) =>
    assert.throws(() => yoloxDecoder(OUTPUT, INPUT, specs), { code: 'INVALID_ARGUMENT', message });
  refuses([], /output\.name: the model has no output 'boxes'/);
  refuses([spec([1, CELLS + 1, COLUMNS])], /must be FP32 \[N,40,columns\]/);
  refuses([spec([1, CELLS, -1])], /must be FP32/);
  refuses([spec([1, CELLS, COLUMNS], { datatype: 'FP16' })], /it is FP16/);
  refuses([spec([1, CELLS, 5])], /no classes/);
});

test('an output that breaks its declared shape is a defect, not a crash', () => {
  assert.throws(() => decoder.decode(tensor(new Float32Array(3)), 0.5), { code: 'INTERNAL' });
});
