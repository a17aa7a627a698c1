import { LcqError } from '../errors.js';
import { type Drawing, drawBoxes } from '../image/draw-boxes.js';
import { placement, type Size } from '../image/letterbox.js';
import type { Box } from '../vision/boxes.js';
import { type DetectionThresholds, detectObjects } from '../vision/detector.js';
import type { Caller } from './caller.js';
import type { ModelReference } from './model-reference.js';
import type { Servable } from './servable.js';

/** What is absent is as the model's config has it. */
export type RequestedThresholds = {
  readonly [Name in keyof DetectionThresholds]?: number | undefined;
};

export interface DetectRequest extends ModelReference, RequestedThresholds {
  /** An encoded picture. */
  readonly image: Uint8Array;
}

export interface DetectedObject {
  /** Index of the class. */
  readonly index: number;
  readonly label: string;
  readonly score: number;
  /** In pixels of the upright picture, inside it. */
  readonly box: Box;
}

export interface DetectionReply {
  readonly model: string;
  readonly version: string;
  /** Size of the picture as it came, EXIF orientation applied. */
  readonly image: Size;
  /** Best first. */
  readonly detections: readonly DetectedObject[];
}

/** As many detections of a picture as may be asked for. */
const MAX_DETECTIONS = 1000;

/** The objects in one picture. Rejects with INVALID_ARGUMENT for a bad threshold, or if the model's task is another. */
export async function detectInPicture(
  servable: Servable,
  request: Pick<DetectRequest, 'image' | keyof DetectionThresholds>,
  caller: Caller,
): Promise<DetectionReply> {
  const { name, definition, decoder } = servable;
  const { config, labels } = definition;
  if (config.task !== 'detection' || decoder === undefined) {
    const message = `model '${name}' does ${config.task}, not detection`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  const thresholds = effectiveThresholds(request, config.thresholds);
  const { outputs, original } = await servable.runSizedPicture(request.image, caller);
  return servable.postprocess(() => {
    const placed = placement(original, config.input);
    const detections = detectObjects(decoder, outputs, placed, thresholds).map(
      ({ index, score, box }) => ({ index, label: labels[index] ?? '', score, box }),
    );
    return { ...servable.labels, image: original, detections };
  }, caller);
}

/** The picture with a reply's boxes drawn on it. */
export function drawDetections(
  image: Uint8Array,
  { detections }: Pick<DetectionReply, 'detections'>,
): Promise<Drawing> {
  const boxes = detections.map(({ index, label, score, box }) => {
    return { box, caption: `${label || index} ${score.toFixed(2)}`, colour: index };
  });
  return drawBoxes(image, boxes);
}

function effectiveThresholds(
  { scoreThreshold, iouThreshold, maxDetections }: RequestedThresholds,
  defaults: DetectionThresholds,
): DetectionThresholds {
  const thresholds = {
    scoreThreshold: scoreThreshold ?? defaults.scoreThreshold,
    iouThreshold: iouThreshold ?? defaults.iouThreshold,
    maxDetections: maxDetections ?? defaults.maxDetections,
  };
  checkShare('score threshold', thresholds.scoreThreshold);
  checkShare('IoU threshold', thresholds.iouThreshold);
  const { maxDetections: count } = thresholds;
  if (Number.isInteger(count) && count >= 1 && count <= MAX_DETECTIONS) return thresholds;
  const message = `the number of detections must be an integer from 1 to ${MAX_DETECTIONS}`;
  throw new LcqError('INVALID_ARGUMENT', message);
}

function checkShare(what: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new LcqError('INVALID_ARGUMENT', `the ${what} must be a number from 0 to 1`);
}
