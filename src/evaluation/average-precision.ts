import { area, type Box, intersection, intersectionOverUnion } from '../vision/boxes.js';
import type { Detection } from '../vision/detection.js';

/** Average precision as COCO defines it (cocodataset.org, detection evaluation); pycocotools gives the same figures. */

/** An object that somebody has marked in a picture. */
export interface MarkedObject {
  /** Index of the class. */
  readonly index: number;
  readonly box: Box;
  /** A region of many objects: detections inside it count neither as right nor as wrong. */
  readonly isCrowd: boolean;
}

/** What is in a picture, and what a model says is in it. */
export interface ComparedPicture {
  readonly objects: readonly MarkedObject[];
  readonly detections: readonly Detection[];
}

/** IoU 0.50, 0.55, ..., 0.95. */
export const IOU_THRESHOLDS: readonly number[] = Array.from(
  { length: 10 },
  (_, i) => 0.5 + i * 0.05,
);
/** Of one class in one picture, the best so many detections count. */
const MAX_DETECTIONS = 100;
const RECALL_POINTS = Array.from({ length: 101 }, (_, i) => i * 0.01);

interface Judged {
  readonly score: number;
  readonly isRight: boolean;
}

/**
 * Average precision of one class at one IoU threshold, 0 to 1: the mean, over recalls of 0, 0.01, ..., 1, of the best
 * precision at that recall or above. Undefined if no picture has an object of the class.
 */
export function averagePrecision(
  pictures: readonly ComparedPicture[],
  index: number,
  iouThreshold: number,
): number | undefined {
  const judged: Judged[] = [];
  let objectCount = 0;
  for (const { objects, detections } of pictures) {
    const ofClass = objects.filter((object) => object.index === index);
    objectCount += ofClass.filter(({ isCrowd }) => !isCrowd).length;
    const claims = detections
      .filter((detection) => detection.index === index)
      .sort((a, b) => b.score - a.score)
      .slice(0, MAX_DETECTIONS);
    judged.push(...judge(claims, ofClass, iouThreshold));
  }
  if (objectCount === 0) return undefined;
  // Stable: equal scores stay in the order of the pictures.
  judged.sort((a, b) => b.score - a.score);
  return interpolatedPrecision(judged, objectCount);
}

/** Gives each detection, best first, the free object that it overlaps most. Those that meet a crowd are left out. */
function judge(
  detections: readonly Detection[],
  objects: readonly MarkedObject[],
  iouThreshold: number,
): Judged[] {
  const single = objects.filter(({ isCrowd }) => !isCrowd);
  const crowds = objects.filter(({ isCrowd }) => isCrowd);
  const isTaken = new Uint8Array(single.length);
  const judged: Judged[] = [];
  for (const { score, box } of detections) {
    let match = -1;
    let best = iouThreshold;
    for (const [i, object] of single.entries()) {
      const overlap = isTaken[i] ? -1 : intersectionOverUnion(box, object.box);
      if (overlap < best) continue;
      best = overlap;
      match = i;
    }
    if (match >= 0) isTaken[match] = 1;
    else if (crowds.some((crowd) => shareInside(box, crowd.box) >= iouThreshold)) continue;
    judged.push({ score, isRight: match >= 0 });
  }
  return judged;
}

/** Share of a detection that lies in a crowd: what takes the place of the IoU there. */
function shareInside(box: Box, crowd: Box): number {
  const size = area(box);
  return size > 0 ? intersection(box, crowd) / size : 0;
}

/** @param judged best first */
function interpolatedPrecision(judged: readonly Judged[], objectCount: number): number {
  let right = 0;
  const curve = judged.map(({ isRight }, i) => {
    if (isRight) right += 1;
    return { recall: right / objectCount, precision: right / (i + 1) };
  });
  // The best precision at this recall or above, met from the high recalls downwards.
  let best = 0;
  let at = curve.length;
  let sum = 0;
  for (const recall of RECALL_POINTS.toReversed()) {
    while (at > 0 && curve[at - 1].recall >= recall) {
      at -= 1;
      best = Math.max(best, curve[at].precision);
    }
    sum += best;
  }
  return sum / RECALL_POINTS.length;
}
