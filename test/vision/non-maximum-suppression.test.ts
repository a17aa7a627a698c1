import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Box } from '../../src/vision/boxes.js';
import type { Detection } from '../../src/vision/detection.js';
import {
  type SuppressionLimits,
  suppressNonMaxima,
} from '../../src/vision/non-maximum-suppression.js';

const LIMITS: SuppressionLimits = { iouThreshold: 0.5, maxDetections: 100 };
const at = (x: number, score: number, index = 0): Detection => ({
  index,
  score,
  box: { x, y: 0, width: 10, height: 10 },
});

test('of overlapping boxes of one class the best stays; other classes are let alone', () => {
  const left = at(0, 0.6);
  const best = at(1, 0.9);
  const right = at(20, 0.7);
  const otherClass = at(1, 0.8, 1);
  const kept = suppressNonMaxima([left, best, right, otherClass], LIMITS);
  assert.deepEqual(kept, [best, otherClass, right]);
});

test('a box is suppressed only by one that is kept', () => {
  // Each overlaps the next by 7 of 10 columns: IoU 70 / 130 > 0.5; the first and the third by 40 / 160.
  const chain = [at(0, 0.9), at(3, 0.8), at(6, 0.7)];
  assert.deepEqual(suppressNonMaxima(chain, LIMITS), [chain[0], chain[2]]);
});

test('an overlap of exactly the threshold is allowed', () => {
  // 5 of 10 columns: 50 / 150.
  const pair = [at(0, 0.9), at(5, 0.8)];
  const suppress = (iouThreshold: number) => suppressNonMaxima(pair, { ...LIMITS, iouThreshold });
  assert.equal(suppress(50 / 150).length, 2);
  assert.equal(suppress(0.33).length, 1);
  assert.equal(suppress(1).length, 2);
  assert.equal(
    suppressNonMaxima([at(0, 0.9), at(0, 0.8)], { ...LIMITS, iouThreshold: 1 }).length,
    2,
  );
});

test('equal scores stay in the order given, and the count is limited', () => {
  const row = Array.from({ length: 5 }, (_, i) => at(i * 20, 0.5));
  assert.deepEqual(suppressNonMaxima(row, { ...LIMITS, maxDetections: 3 }), row.slice(0, 3));
  assert.deepEqual(suppressNonMaxima([], LIMITS), []);
});

/** Textbook form: take the best of what is left, strike out what it covers. */
function reference(detections: readonly Detection[], limits: SuppressionLimits): Detection[] {
  const kept: Detection[] = [];
  let left = detections.map((detection, order) => ({ detection, order }));
  while (left.length > 0 && kept.length < limits.maxDetections) {
    const best = left.reduce((a, b) =>
      b.detection.score > a.detection.score ||
      (b.detection.score === a.detection.score && b.order < a.order)
        ? b
        : a,
    );
    kept.push(best.detection);
    left = left.filter(
      (other) =>
        other !== best &&
        (other.detection.index !== best.detection.index ||
          overlap(other.detection.box, best.detection.box) <= limits.iouThreshold),
    );
  }
  return kept;
}

/** Intersection over union by corners. */
function overlap(a: Box, b: Box): number {
  const [ax2, ay2, bx2, by2] = [a.x + a.width, a.y + a.height, b.x + b.width, b.y + b.height];
  const w = Math.max(0, Math.min(ax2, bx2) - Math.max(a.x, b.x));
  const h = Math.max(0, Math.min(ay2, by2) - Math.max(a.y, b.y));
  return (w * h) / (a.width * a.height + b.width * b.height - w * h);
}

test('property: it keeps what the textbook form keeps', () => {
  const side = fc.integer({ min: 1, max: 20 });
  const detection = fc.record({
    index: fc.nat(2),
    score: fc.integer({ min: 0, max: 10 }).map((tenth) => tenth / 10),
    box: fc.record({ x: fc.nat(20), y: fc.nat(20), width: side, height: side }),
  });
  fc.assert(
    fc.property(
      fc.array(detection, { maxLength: 40 }),
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 1, max: 10 }),
      (detections, tenth, maxDetections) => {
        const limits = { iouThreshold: tenth / 10, maxDetections };
        assert.deepEqual(suppressNonMaxima(detections, limits), reference(detections, limits));
      },
    ),
    { seed: 2004, numRuns: 300 },
  );
});
