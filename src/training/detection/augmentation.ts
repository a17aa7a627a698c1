import type { Random } from '../random.js';
import type { MarkedImages, MarkedObject } from './marked-images.js';

/** How much images are changed. */
export interface AugmentationSettings {
  /** Largest change of the size, as a factor: 1.25 scales by 0.8 to 1.25. */
  readonly scale: number;
  /** Largest movement both ways, as a share of the image's size. */
  readonly shift: number;
  /** Largest change of the brightness, as a share; each colour changes by a quarter of it on its own. */
  readonly brightness: number;
}

/** What is seen where an image has moved away: the grey of the bars that detectors are served with. */
const GREY = 114;
/** Objects of which less is left in the image are no longer marked. */
const VISIBLE_SHARE = 0.4;

/** A change of an image: scaled about its centre, moved, mirrored either way, its colours multiplied. */
interface Change {
  readonly scale: number;
  readonly right: number;
  readonly down: number;
  readonly mirrorX: boolean;
  readonly mirrorY: boolean;
  readonly gains: readonly number[];
}

export function randomChange(
  { height, width }: MarkedImages,
  { scale, shift, brightness }: AugmentationSettings,
  random: Random,
): Change {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const gain = between(1 - brightness, 1 + brightness);
  return {
    scale: between(1 / scale, scale),
    right: between(-shift, shift) * width,
    down: between(-shift, shift) * height,
    mirrorX: random.uniform() < 0.5,
    mirrorY: random.uniform() < 0.5,
    gains: [0, 1, 2].map(() => gain * between(1 - brightness / 4, 1 + brightness / 4)),
  };
}

/** Writes the changed image `index` to `target` [height, width, 3]: bilinear, grey outside. */
export function changePixels(
  { pixels, height, width }: MarkedImages,
  index: number,
  change: Change,
  target: Uint8Array,
): void {
  const source = pixels.subarray(index * height * width * 3, (index + 1) * height * width * 3);
  const columns = sourcePositions(width, change.scale, change.right, change.mirrorX);
  const rows = sourcePositions(height, change.scale, change.down, change.mirrorY);
  for (let y = 0, to = 0; y < height; y++) {
    const row = rows[y];
    const inside = row >= 0 && row <= height - 1;
    const top = Math.min(Math.floor(row), height - 2);
    for (let x = 0; x < width; x++, to += 3) {
      const column = columns[x];
      if (!inside || column < 0 || column > width - 1) {
        target.fill(GREY, to, to + 3);
        continue;
      }
      const left = Math.min(Math.floor(column), width - 2);
      const [below, beside] = [row - top, column - left];
      const at = (top * width + left) * 3;
      const under = at + width * 3;
      for (let c = 0; c < 3; c++) {
        const upper = source[at + c] + beside * (source[at + 3 + c] - source[at + c]);
        const lower = source[under + c] + beside * (source[under + 3 + c] - source[under + c]);
        const value = (upper + below * (lower - upper)) * change.gains[c];
        target[to + c] = Math.min(255, Math.round(value));
      }
    }
  }
}

/** Where in the source each pixel of an axis comes from, pixel centres at whole numbers. */
function sourcePositions(size: number, scale: number, shift: number, mirrored: boolean) {
  const middle = (size - 1) / 2;
  return Float64Array.from({ length: size }, (_, i) => {
    const offset = (i - middle - shift) / scale;
    return middle + (mirrored ? -offset : offset);
  });
}

/** The objects of an image after the change, cut off at its borders; those mostly outside are left out. */
export function changeObjects(
  objects: readonly MarkedObject[],
  { height, width }: MarkedImages,
  { scale, right, down, mirrorX, mirrorY }: Change,
): MarkedObject[] {
  return objects.flatMap((object) => {
    const x = moved(object.x, object.width, width, scale, right, mirrorX);
    const y = moved(object.y, object.height, height, scale, down, mirrorY);
    const visible = (x.high - x.low) * (y.high - y.low);
    const whole = object.width * object.height * scale * scale;
    if (x.high <= x.low || y.high <= y.low || visible < VISIBLE_SHARE * whole) return [];
    const { index } = object;
    return [{ index, x: x.low, y: y.low, width: x.high - x.low, height: y.high - y.low }];
  });
}

/** A stretch of an axis of `size` pixels after the change, cut off at its ends. */
function moved(
  from: number,
  length: number,
  size: number,
  scale: number,
  shift: number,
  mirrored: boolean,
): { low: number; high: number } {
  const offset = from + length / 2 - size / 2;
  const centre = size / 2 + (mirrored ? -offset : offset) * scale + shift;
  const half = (length * scale) / 2;
  return { low: Math.max(0, centre - half), high: Math.min(size, centre + half) };
}
