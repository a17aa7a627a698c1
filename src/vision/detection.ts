import type { Tensor } from '../runtime/session.js';
import type { Box } from './boxes.js';

/** An object of one class in a picture. */
export interface Detection {
  /** Index of the class. */
  readonly index: number;
  /** 0 to 1. */
  readonly score: number;
  readonly box: Box;
}

/** A model's outputs for one picture, by name: the batch axis of each has the size 1. */
export type PictureOutputs = Readonly<Record<string, Tensor>>;

/** Turns a detector's raw outputs into boxes. */
export interface DetectionDecoder {
  /** How many classes the model tells apart. */
  readonly classes: number;
  /**
   * Boxes in pixels of the model's input, best first: every class that scores at least `scoreThreshold` somewhere, the
   * best MAX_CANDIDATES of them, overlapping ones included.
   */
  decode(outputs: PictureOutputs, scoreThreshold: number): Detection[];
}

/** Boxes that one picture brings into non-maximum suppression, at most; also bounds its time. */
export const MAX_CANDIDATES = 1000;
