import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  averagePrecision,
  type ComparedPicture,
  IOU_THRESHOLDS,
  type MarkedObject,
} from '../../src/evaluation/average-precision.js';
import { type Box, intersectionOverUnion } from '../../src/vision/boxes.js';
import type { Detection } from '../../src/vision/detection.js';

const box = (x: number, width = 10): Box => ({ x, y: 0, width, height: 10 });
const object = (x: number, isCrowd = false): MarkedObject => ({ index: 0, box: box(x), isCrowd });
const found = (score: number, x: number, width = 10): Detection => ({
  index: 0,
  score,
  box: box(x, width),
});
const picture = (objects: MarkedObject[], detections: Detection[]): ComparedPicture => ({
  objects,
  detections,
});

const close = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-12, `${actual}, ${expected}`);

test('thresholds are those of COCO', () => {
  assert.deepEqual(
    IOU_THRESHOLDS.map((iou) => iou.toFixed(2)),
    ['0.50', '0.55', '0.60', '0.65', '0.70', '0.75', '0.80', '0.85', '0.90', '0.95'],
  );
});

test('finding all is 1, finding nothing 0, a class that is not there has none', () => {
  const pictures = [picture([object(0), object(50)], [found(0.9, 0), found(0.4, 50)])];
  for (const iou of IOU_THRESHOLDS) close(averagePrecision(pictures, 0, iou), 1);
  close(averagePrecision([picture([object(0)], [])], 0, 0.5), 0);
  assert.equal(averagePrecision(pictures, 1, 0.5), undefined);
});

test('one of two objects: precision 1 up to a recall of 0.5, which are 51 of 101 points', () => {
  close(averagePrecision([picture([object(0), object(50)], [found(0.9, 0)])], 0, 0.5), 51 / 101);
});

test('right, wrong, right: precision 1 up to half the recall, then 2/3', () => {
  const detections = [found(0.7, 50), found(0.8, 200), found(0.9, 0)];
  const pictures = [picture([object(0), object(50)], detections)];
  close(averagePrecision(pictures, 0, 0.5), (51 + (50 * 2) / 3) / 101);
});

test('wrong, right: the precision of 1/2 holds for every recall', () => {
  close(averagePrecision([picture([object(0)], [found(0.9, 99), found(0.8, 0)])], 0, 0.5), 0.5);
});

test('a second detection of one object is wrong; in another picture it is not', () => {
  const twice = [found(0.9, 0), found(0.8, 1)];
  const one = [picture([object(0), object(300)], twice)];
  close(averagePrecision(one, 0, 0.5), 51 / 101);
  const two = [picture([object(0)], [twice[0]]), picture([object(0)], [twice[1]])];
  close(averagePrecision(two, 0, 0.5), 1);
});

test('the scores of all pictures are ranked together', () => {
  const pictures = [
    picture([object(0)], [found(0.5, 0)]),
    picture([], [found(0.9, 0), found(0.8, 20), found(0.7, 40)]),
  ];
  close(averagePrecision(pictures, 0, 0.5), 0.25);
});

test('an overlap of exactly the threshold matches, a smaller one does not', () => {
  // 10 x 10 within 20 x 10: IoU 0.5.
  const pictures = [picture([object(0)], [found(0.9, 0, 20)])];
  close(averagePrecision(pictures, 0, 0.5), 1);
  close(averagePrecision(pictures, 0, 0.55), 0);
});

test('the better detection takes the object that it overlaps most', () => {
  // The first overlaps both objects, the second only the left one.
  const objects = [object(0), object(4)];
  const detections = [found(0.9, 3), found(0.8, 0)];
  close(averagePrecision([picture(objects, detections)], 0, 0.5), 1);
});

test('a crowd is neither an object nor a mistake', () => {
  const crowd: MarkedObject = { index: 0, box: box(100, 200), isCrowd: true };
  const detections = [found(0.95, 120), found(0.9, 150), found(0.8, 0)];
  close(averagePrecision([picture([object(0), crowd], detections)], 0, 0.5), 1);
  assert.equal(averagePrecision([picture([crowd], detections)], 0, 0.5), undefined);
  // Only the part inside the crowd counts for it: 4 of 10 columns are too few.
  const half = [found(0.9, 94), found(0.8, 0)];
  close(averagePrecision([picture([object(0), crowd], half)], 0, 0.5), 0.5);
});

test('of one picture the best 100 detections of a class count', () => {
  const wrong = Array.from({ length: 100 }, (_, i) => found(0.9, 1000 + 20 * i));
  close(averagePrecision([picture([object(0)], [...wrong, found(0.5, 0)])], 0, 0.5), 0);
  const others = wrong.map((detection) => ({ ...detection, index: 1 }));
  close(averagePrecision([picture([object(0)], [...others, found(0.5, 0)])], 0, 0.5), 1);
});

/** The definition, recall by recall. */
function reference(pictures: readonly ComparedPicture[], iou: number): number {
  const ranked = pictures
    .flatMap(({ detections }, at) => detections.map((detection) => ({ detection, at })))
    .sort((a, b) => b.detection.score - a.detection.score);
  const free = pictures.map(({ objects }) => [...objects]);
  const total = free.flat().length;
  const isRight = ranked.map(({ detection, at }) => {
    const overlaps = free[at].map((marked) => intersectionOverUnion(marked.box, detection.box));
    const best = overlaps.lastIndexOf(Math.max(...overlaps));
    if (overlaps.length === 0 || overlaps[best] < iou) return false;
    free[at].splice(best, 1);
    return true;
  });
  const points = isRight.map((_, i) => {
    const right = isRight.slice(0, i + 1).filter(Boolean).length;
    return { recall: right / total, precision: right / (i + 1) };
  });
  let sum = 0;
  for (let hundredth = 0; hundredth <= 100; hundredth++) {
    const reached = points.filter(({ recall }) => recall >= hundredth * 0.01);
    sum += Math.max(0, ...reached.map(({ precision }) => precision));
  }
  return sum / 101;
}

test('property: it agrees with the definition', () => {
  const boxes = fc.record({
    x: fc.nat(12),
    y: fc.nat(6),
    width: fc.integer({ min: 1, max: 8 }),
    height: fc.integer({ min: 1, max: 8 }),
  });
  const marked = boxes.map((b) => ({ index: 0, box: b, isCrowd: false }));
  const claimed = fc.record({ index: fc.constant(0), box: boxes, score: fc.nat(20) });
  const pictures = fc.array(
    fc.record({
      objects: fc.array(marked, { maxLength: 5 }),
      detections: fc.array(claimed, { maxLength: 8 }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(pictures, fc.constantFrom(...IOU_THRESHOLDS, 0.2), (compared, iou) => {
      fc.pre(compared.some(({ objects }) => objects.length > 0));
      close(averagePrecision(compared, 0, iou), reference(compared, iou));
    }),
    { seed: 2014, numRuns: 300 },
  );
});
