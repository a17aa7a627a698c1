/** An axis-aligned rectangle: its top left corner and its size, in pixels; y grows downwards. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where an upright picture of `width` x `height` pixels lies in a model's input: scaled, then moved. */
export interface PicturePlacement {
  readonly width: number;
  readonly height: number;
  /** Pixels of the input for one of the picture, on each axis. */
  readonly scaleX: number;
  readonly scaleY: number;
  /** The picture's top left corner in the input. */
  readonly left: number;
  readonly top: number;
}

/** Box edges are multiples of 1 / this many pixels. */
const EDGE_STEPS = 64;

export const area = ({ width, height }: Box): number => width * height;

/** Area that two boxes share, in square pixels. */
export function intersection(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/** Intersection over union, 0 to 1; 0 if both boxes are empty. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const shared = intersection(a, b);
  const union = area(a) + area(b) - shared;
  return union > 0 ? shared / union : 0;
}

/**
 * A box of the model's input in pixels of the picture, cut off at its borders; undefined if nothing is left of it.
 *
 * Edges are rounded to 1/64 pixel. Such numbers and their sums are exact in binary32 too, the type of a box on the
 * wire, so that `x + width` never leaves the picture.
 */
export function boxInPicture(box: Box, placement: PicturePlacement): Box | undefined {
  const { width, height, scaleX, scaleY, left, top } = placement;
  const x = edge((box.x - left) / scaleX, width);
  const y = edge((box.y - top) / scaleY, height);
  const right = edge((box.x + box.width - left) / scaleX, width);
  const bottom = edge((box.y + box.height - top) / scaleY, height);
  // Also false for NaN, which a broken model can produce.
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : undefined;
}

const edge = (position: number, size: number): number =>
  Math.round(Math.min(Math.max(position, 0), size) * EDGE_STEPS) / EDGE_STEPS;
