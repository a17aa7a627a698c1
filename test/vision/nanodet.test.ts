import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Tensor, TensorSpec } from '../../src/runtime/session.js';
import { nanodetDecoder } from '../../src/vision/nanodet.js';

/** 32 x 16 pixels: 4 x 2 cells of stride 8, then 2 x 1 of stride 16; 3 classes, 8 bins. */
const INPUT = { width: 32, height: 16 };
const CLASSES = 3;
const BINS = 8;
const OUTPUT = { scores: ['s8', 's16'], distances: ['d8', 'd16'], strides: [8, 16] };
const CELLS = [8, 2];

const spec = (name: string, rows: number, columns: number): TensorSpec => ({
  name,
  datatype: 'FP32',
  shape: [1, rows, columns],
});
const SPECS = [
  spec('s8', 8, CLASSES),
  spec('s16', 2, CLASSES),
  spec('d8', 8, 4 * BINS),
  spec('d16', 2, 4 * BINS),
];
const decoder = nanodetDecoder(OUTPUT, INPUT, SPECS);

const tensor = (rows: number, data: Float32Array): Tensor => ({
  datatype: 'FP32',
  shape: [1, rows, data.length / rows],
  data,
});

/** Outputs of zeros, with the given elements set. */
function outputs(fill: (data: Record<string, Float32Array>) => void): Record<string, Tensor> {
  const data = Object.fromEntries(
    SPECS.map(({ name, shape }) => [name, new Float32Array(shape[1] * shape[2])]),
  );
  fill(data);
  return Object.fromEntries(SPECS.map(({ name, shape }) => [name, tensor(shape[1], data[name])]));
}

/** Logits of a distribution that is all in one bin. */
const oneBin = (bin: number) => Array.from({ length: BINS }, (_, i) => (i === bin ? 200 : 0));

test('a cell becomes a box, by hand', () => {
  assert.equal(decoder.classes, CLASSES);
  const detections = decoder.decode(
    outputs(({ s8, d8, s16 }) => {
      // Column 2, row 1 of the first map, its centre at (20, 12): 1 left, 0 up, 2 right, 3 down, in strides of 8.
      s8[6 * CLASSES + 1] = 0.75;
      d8.set([1, 0, 2, 3].flatMap(oneBin), 6 * 4 * BINS);
      // Column 1 of the second map, centre (24, 8): all bins alike mean 3.5 strides to each side.
      s16[CLASSES + 2] = 0.875;
    }),
    0.5,
  );
  assert.deepEqual(detections, [
    { index: 2, score: 0.875, box: { x: 24 - 56, y: 8 - 56, width: 112, height: 112 } },
    { index: 1, score: 0.75, box: { x: 12, y: 12, width: 24, height: 24 } },
  ]);
});

test('every class of a cell counts; the threshold is included; NaN is nothing', () => {
  const seen = decoder.decode(
    outputs(({ s8, s16 }) => {
      s8.set([0.5, 0.25, 0.5]);
      s16.fill(Number.NaN);
    }),
    0.5,
  );
  assert.deepEqual(
    seen.map(({ index }) => index),
    [0, 2],
  );
});

test('property: it agrees with the plain form of the paper', () => {
  const scores = fc.array(fc.float({ min: 0, max: 1, noNaN: true }), {
    minLength: 30,
    maxLength: 30,
  });
  const logits = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), {
    minLength: 320,
    maxLength: 320,
  });
  fc.assert(
    fc.property(scores, logits, (scoreValues, logitValues) => {
      const filled = outputs(({ s8, s16, d8, d16 }) => {
        s8.set(scoreValues.slice(0, 24));
        s16.set(scoreValues.slice(24));
        d8.set(logitValues.slice(0, 256));
        d16.set(logitValues.slice(256));
      });
      const expected = referenceBoxes(scoreValues, logitValues)
        .filter(({ score }) => score >= 0.25)
        .sort((a, b) => b.score - a.score);
      const decoded = decoder.decode(filled, 0.25);
      assert.equal(decoded.length, expected.length);
      for (const [i, { index, score, box }] of decoded.entries()) {
        assert.deepEqual({ index, score }, { index: expected[i].index, score: expected[i].score });
        const corners = [box.x, box.y, box.x + box.width, box.y + box.height];
        corners.forEach((corner, side) => {
          assert.ok(Math.abs(corner - expected[i].corners[side]) < 1e-9);
        });
      }
    }),
    { seed: 2020, numRuns: 50 },
  );
});

/** For each cell and class: softmax of the bins, its expectation, and the corners that many strides off the centre. */
function referenceBoxes(scores: readonly number[], logits: readonly number[]) {
  const cells = CELLS.flatMap((count, level) =>
    Array.from({ length: count }, (_, i) => ({ stride: OUTPUT.strides[level], i })),
  );
  return cells.flatMap(({ stride, i }, cell) => {
    const columns = INPUT.width / stride;
    const [x, y] = [((i % columns) + 0.5) * stride, (Math.floor(i / columns) + 0.5) * stride];
    const distances = [0, 1, 2, 3].map((side) => {
      const from = (cell * 4 + side) * BINS;
      const exponentials = logits.slice(from, from + BINS).map(Math.exp);
      const sum = exponentials.reduce((a, b) => a + b);
      return exponentials.reduce((mean, e, bin) => mean + (e / sum) * bin, 0) * stride;
    });
    const [left, top, right, bottom] = distances;
    const corners = [x - left, y - top, x + right, y + bottom];
    return scores
      .slice(cell * CLASSES, (cell + 1) * CLASSES)
      .map((score, index) => ({ index, score: Math.fround(score), corners }));
  });
}

test('a model whose outputs do not fit is refused', () => {
  const refuses = (specs: TensorSpec[], message: RegExp) =>
    assert.throws(() => nanodetDecoder(OUTPUT, INPUT, specs), {
      code: 'INVALID_ARGUMENT',
      message,
    });
  const replaced = (changed: TensorSpec) =>
    SPECS.map((old) => (old.name === changed.name ? changed : old));
  refuses(SPECS.slice(1), /output\.scores\.0: the model has no output 's8'/);
  refuses(replaced(spec('d16', 3, 32)), /output\.distances\.1: .*\[N,2,columns\]/);
  refuses(replaced(spec('s16', 2, 4)), /output\.scores: columns differ: 3, 4/);
  const oneBinOnly = SPECS.map((old) =>
    old.name.startsWith('d') ? spec(old.name, old.shape[1], 4) : old,
  );
  refuses(oneBinOnly, /output\.distances: 4 columns/);
});
