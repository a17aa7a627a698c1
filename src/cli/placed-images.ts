import { readFile } from 'node:fs/promises';
import { LcqError } from '../errors.js';
import type { CocoDataset, CocoPicture } from '../evaluation/coco-annotations.js';
import { decodePicture } from '../image/decode.js';
import { placement, type Size } from '../image/letterbox.js';
import type { DetectionConfig } from '../repository/model-config.js';
import type { MarkedImages, MarkedObject } from '../training/detection/marked-images.js';
import { createProgress } from './progress.js';

const LIMITS = { maxBytes: 64 * 2 ** 20, maxPixels: 100_000_000 };
const READERS = 4;

/** Marked pictures in the size that a detector takes, and the sizes that they came in. */
export interface PlacedImages extends MarkedImages {
  readonly originals: readonly Size[];
}

/**
 * Decodes a data set as a server would decode it for a model with this input. Crowds and boxes without an area are left
 * out.
 * @param classes names of the classes, by index
 * @throws LcqError INVALID_ARGUMENT naming a file that cannot be used, or a category that is no class
 */
export async function readPlacedImages(
  { pictures, categories }: CocoDataset,
  classes: readonly string[],
  input: DetectionConfig['input'],
  split: string,
): Promise<PlacedImages> {
  const { height, width } = input;
  const indexOf = new Map(
    [...categories].map(([id, name]) => {
      const index = classes.indexOf(name);
      if (index >= 0) return [id, index];
      const message = `'${name}', a category of ${split}, is not in the training pictures`;
      throw new LcqError('INVALID_ARGUMENT', message);
    }),
  );
  const bytes = height * width * 3;
  const pixels = new Uint8Array(pictures.length * bytes);
  const originals = new Array<Size>(pictures.length);
  const progress = createProgress(`decode ${split} pictures`, pictures.length);
  const waiting = pictures.entries();
  let done = 0;
  const reader = async () => {
    for (const [i, { path }] of waiting) {
      const picture = await decode(path, input);
      pixels.set(picture.pixels, i * bytes);
      originals[i] = picture.original;
      progress.update(++done, 'pictures');
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  progress.stop();
  const objects = pictures.map((picture, i) => placed(picture, originals[i], input, indexOf));
  return { pixels, count: pictures.length, height, width, objects, classes, originals };
}

async function decode(path: string, input: DetectionConfig['input']) {
  const bytes = await readFile(path).catch((cause) => {
    throw new LcqError('NOT_FOUND', `picture '${path}' cannot be read`, { cause });
  });
  return decodePicture(bytes, input, LIMITS).catch((cause) => {
    throw new LcqError('INVALID_ARGUMENT', `picture '${path}': ${cause.message}`, { cause });
  });
}

/** The objects of a picture in pixels of the input. */
function placed(
  { objects }: CocoPicture,
  original: Size,
  input: DetectionConfig['input'],
  indexOf: ReadonlyMap<number, number>,
): MarkedObject[] {
  const { scaleX, scaleY, left, top } = placement(original, input);
  return objects
    .filter(({ box, isCrowd }) => !isCrowd && box.width > 0 && box.height > 0)
    .map(({ category, box }) => ({
      index: indexOf.get(category) as number,
      x: box.x * scaleX + left,
      y: box.y * scaleY + top,
      width: box.width * scaleX,
      height: box.height * scaleY,
    }));
}
