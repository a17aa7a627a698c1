import type { MarkedImages, MarkedObject } from '../../../src/training/detection/marked-images.js';
import { Random } from '../../../src/training/random.js';

const [HEIGHT, WIDTH] = [48, 64];
/** Colours of the classes. */
const COLOURS = [
  [220, 60, 60],
  [60, 60, 220],
] as const;

/** One or two filled rectangles in each picture, red or blue, on noise: a task that a small network learns in seconds. */
export function shapes(count: number, seed: number): MarkedImages {
  const random = new Random(seed);
  const pixels = Uint8Array.from(
    { length: count * HEIGHT * WIDTH * 3 },
    () => 100 + random.integer(60),
  );
  const objects = Array.from({ length: count }, (_, image) => {
    // One in each half, so that they do not overlap.
    return [0, WIDTH / 2].slice(0, 1 + random.integer(2)).map((left): MarkedObject => {
      const [width, height] = [12 + random.integer(16), 12 + random.integer(20)];
      const x = left + random.integer(WIDTH / 2 - width);
      const y = random.integer(HEIGHT - height);
      const index = random.integer(2);
      for (let row = y; row < y + height; row++) {
        const from = ((image * HEIGHT + row) * WIDTH + x) * 3;
        for (let i = 0; i < width * 3; i++) pixels[from + i] = COLOURS[index][i % 3];
      }
      return { index, x, y, width, height };
    });
  });
  return { pixels, count, height: HEIGHT, width: WIDTH, objects, classes: ['red', 'blue'] };
}
