import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CocoDataset } from '../../src/evaluation/coco-annotations.js';
import { evaluateDetection } from '../../src/evaluation/detection.js';

const BOX = { x: 0, y: 0, width: 10, height: 10 };
/** IoU 0.8 with BOX. */
const NEAR = { ...BOX, width: 8 };
const DATASET: CocoDataset = {
  categories: new Map([
    [3, 'dog'],
    [4, 'cat'],
  ]),
  pictures: [
    { path: 'a', objects: [{ category: 3, box: BOX, isCrowd: false }] },
    {
      path: 'b',
      objects: [
        { category: 4, box: BOX, isCrowd: false },
        { category: 4, box: BOX, isCrowd: true },
      ],
    },
  ],
};
const LABELS = ['bird', 'cat', 'dog'];

test('the means over classes and thresholds; categories find their class by name', async () => {
  const progress: number[] = [];
  const result = await evaluateDetection(
    DATASET,
    LABELS,
    async ({ path }) =>
      path === 'a' ? [{ index: 2, score: 0.9, box: NEAR }] : [{ index: 1, score: 0.5, box: BOX }],
    (done) => progress.push(done),
  );
  // The dog is right at 0.50, 0.55, ..., 0.80: seven of ten thresholds.
  const { classes, map, ...figures } = result;
  assert.deepEqual(figures, { images: 2, objects: 2, ap50: 1, ap75: 1 });
  assert.ok(Math.abs(map - 0.85) < 1e-12);
  assert.deepEqual(
    classes.map(({ label, objects, ap, ap50 }) => [label, objects, ap.toFixed(3), ap50]),
    [
      ['cat', 1, '1.000', 1],
      ['dog', 1, '0.700', 1],
    ],
  );
  assert.deepEqual(progress, [1, 2]);
});

test('a category that the model does not know, and pictures without objects, are refused', async () => {
  const detect = async () => [];
  await assert.rejects(evaluateDetection(DATASET, ['dog'], detect), {
    code: 'INVALID_ARGUMENT',
    message: /category 'cat' is no class of the model/,
  });
  const empty = { ...DATASET, pictures: [{ path: 'a', objects: [] }] };
  await assert.rejects(evaluateDetection(empty, LABELS, detect), {
    message: /marks no object/,
  });
});
