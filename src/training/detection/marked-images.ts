import type { Images } from '../images.js';

/** An object in an image: its class and its box, in pixels; y grows downwards. */
export interface MarkedObject {
  /** Index of the class. */
  readonly index: number;
  /** Top left corner. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Images whose objects are known. */
export interface MarkedImages extends Images {
  /** Of each image. */
  readonly objects: readonly (readonly MarkedObject[])[];
  readonly classes: readonly string[];
}
