import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LcqError } from '../errors.js';
import { decodePicture } from '../image/decode.js';
import { pixelPacker } from '../image/normalize.js';
import type { Activations } from '../quantization/post-training/network-runner.js';
import { type ModelConfig, pictureShape } from '../repository/model-config.js';
import { Random } from '../training/random.js';

const IMAGE_FILE = /\.(jpe?g|png|webp)$/i;
const LIMITS = { maxBytes: 64 * 2 ** 20, maxPixels: 100_000_000 };

/**
 * Reads some images of a folder and of all folders in it, chosen by the seed, as a model takes them: the serving path of
 * a picture. Labels play no part.
 * @throws LcqError NOT_FOUND if there are fewer than `count`, INVALID_ARGUMENT naming a file that cannot be used
 */
export async function readCalibrationImages(
  folder: string,
  count: number,
  seed: number,
  config: ModelConfig,
): Promise<Activations> {
  const files = await listImages(folder);
  if (files.length < count) {
    throw new LcqError('NOT_FOUND', `'${folder}' has ${files.length} images, ${count} are wanted`);
  }
  const order = new Random(seed).permutation(files.length).subarray(0, count);
  return readImages(
    Array.from(order, (index) => files[index]),
    config,
  );
}

/**
 * Paths of the images of a folder and of all folders in it, sorted.
 * @throws LcqError NOT_FOUND if it cannot be read
 */
export async function listImages(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch((cause) => {
    throw new LcqError('NOT_FOUND', `data folder '${folder}' cannot be read`, { cause });
  });
  const names = entries.filter((name) => IMAGE_FILE.test(name)).sort();
  return names.map((name) => join(folder, name));
}

/** @throws LcqError INVALID_ARGUMENT naming a file that cannot be used */
export async function readImages(
  paths: readonly string[],
  { input }: ModelConfig,
): Promise<Activations> {
  const count = paths.length;
  const pack = pixelPacker(input);
  const shape = pictureShape(input);
  const size = 3 * input.height * input.width;
  const data = new Float32Array(count * size);
  for (const [i, path] of paths.entries()) {
    const picture = await decodePicture(await readFile(path), input, LIMITS).catch((cause) => {
      throw new LcqError('INVALID_ARGUMENT', `image '${path}': ${cause.message}`, { cause });
    });
    data.set(pack([picture.pixels]), i * size);
  }
  return { shape, count, data };
}
