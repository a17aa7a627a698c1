import { intersectionOverUnion } from './boxes.js';
import type { Detection } from './detection.js';

export interface SuppressionLimits {
  /** Of two boxes of one class that overlap by more than this (intersection over union, 0 to 1), the better stays. */
  readonly iouThreshold: number;
  readonly maxDetections: number;
}

/**
 * Greedy non-maximum suppression within each class: best first, equal scores in the order given.
 *
 * Takes at most `detections.length * maxDetections` comparisons of boxes.
 */
export function suppressNonMaxima(
  detections: readonly Detection[],
  { iouThreshold, maxDetections }: SuppressionLimits,
): Detection[] {
  const ranked = [...detections].sort((a, b) => b.score - a.score);
  const kept: Detection[] = [];
  for (const detection of ranked) {
    if (kept.length >= maxDetections) break;
    const isCovered = kept.some(
      ({ index, box }) =>
        index === detection.index && intersectionOverUnion(box, detection.box) > iouThreshold,
    );
    if (!isCovered) kept.push(detection);
  }
  return kept;
}
