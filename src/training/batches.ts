import type { Images } from './images.js';
import type { Random } from './random.js';

/**
 * Reads the images at `indices`, each moved by up to `shift` pixels both ways and mirrored half of the time. What moves
 * in from outside has the value `fill` (the pixel that the network sees as zero).
 */
export function shiftedBatch(
  images: Images,
  indices: ArrayLike<number>,
  random: Random,
  shift: number,
  fill: number,
): Uint8Array {
  const { height, width } = images;
  const bytes = height * width * 3;
  const pixels = new Uint8Array(indices.length * bytes).fill(fill);
  for (let i = 0; i < indices.length; i++) {
    const source = images.pixels.subarray(indices[i] * bytes, (indices[i] + 1) * bytes);
    const target = pixels.subarray(i * bytes, (i + 1) * bytes);
    const down = random.integer(2 * shift + 1) - shift;
    const right = random.integer(2 * shift + 1) - shift;
    const mirrored = random.uniform() < 0.5;
    for (let y = Math.max(0, down); y < Math.min(height, height + down); y++) {
      const row = (y - down) * width;
      for (let x = Math.max(0, right); x < Math.min(width, width + right); x++) {
        const column = x - right;
        const from = (row + (mirrored ? width - 1 - column : column)) * 3;
        const to = (y * width + x) * 3;
        target[to] = source[from];
        target[to + 1] = source[from + 1];
        target[to + 2] = source[from + 2];
      }
    }
  }
  return pixels;
}
