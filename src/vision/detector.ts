import type { TensorSpec } from '../runtime/session.js';
import { boxInPicture, type PicturePlacement } from './boxes.js';
import type { Detection, DetectionDecoder, PictureOutputs } from './detection.js';
import { type NanodetOutput, nanodetDecoder } from './nanodet.js';
import { type SuppressionLimits, suppressNonMaxima } from './non-maximum-suppression.js';
import { type YoloxOutput, yoloxDecoder } from './yolox.js';

/** Which outputs of a model hold boxes, and how. */
export type DetectionOutput =
  | ({ readonly decoder: 'yolox' } & YoloxOutput)
  | ({ readonly decoder: 'nanodet' } & NanodetOutput);

export interface DetectionThresholds extends SuppressionLimits {
  /** Lowest score of a detection, 0 to 1. */
  readonly scoreThreshold: number;
}

/**
 * The decoder of a model with an input of `width` x `height` pixels.
 *
 * Throws INVALID_ARGUMENT, naming the field, if `specs`, the model's outputs, do not fit.
 */
export function detectionDecoder(
  output: DetectionOutput,
  input: { readonly width: number; readonly height: number },
  specs: readonly TensorSpec[],
): DetectionDecoder {
  switch (output.decoder) {
    case 'yolox':
      return yoloxDecoder(output, input, specs);
    case 'nanodet':
      return nanodetDecoder(output, input, specs);
  }
}

/** The objects in one picture, best first, their boxes in its own pixels and inside it. */
export function detectObjects(
  decoder: DetectionDecoder,
  outputs: PictureOutputs,
  placement: PicturePlacement,
  thresholds: DetectionThresholds,
): Detection[] {
  const detections = decoder.decode(outputs, thresholds.scoreThreshold).flatMap((detection) => {
    const box = boxInPicture(detection.box, placement);
    return box ? [{ ...detection, box }] : [];
  });
  return suppressNonMaxima(detections, thresholds);
}
