import sharp from 'sharp';
import { LcqError } from '../errors.js';
import { listClassFolders } from './class-folders.js';
import type { Images } from './images.js';

/** Images whose class is known. */
export interface LabelledImages extends Images {
  /** Index into `classes` for each image. */
  readonly labels: Uint16Array;
  readonly classes: readonly string[];
}

const READERS = 16;

/**
 * Reads a folder that has one folder a class; classes and files are taken in the order of their names.
 * @param size height and width that every image must have
 * @throws LcqError NOT_FOUND for a missing folder, INVALID_ARGUMENT naming the file that cannot be used
 */
export async function readImageFolder(
  folder: string,
  size: number,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<LabelledImages> {
  const files = await listClassFolders(folder);
  const classes = [...new Set(files.map(({ label }) => label))];
  const bytes = size * size * 3;
  const pixels = new Uint8Array(files.length * bytes);
  const labels = Uint16Array.from(files, ({ label }) => classes.indexOf(label));
  let next = 0;
  let done = 0;
  const reader = async () => {
    for (let i = next++; i < files.length; i = next++) {
      pixels.set(await decode(files[i].path, size), i * bytes);
      onProgress(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return { pixels, labels, classes, count: files.length, height: size, width: size };
}

async function decode(path: string, size: number): Promise<Buffer> {
  const image = sharp(path, { failOn: 'error' }).removeAlpha().toColourspace('srgb').raw();
  const { data, info } = await image.toBuffer({ resolveWithObject: true }).catch((cause) => {
    throw new LcqError('INVALID_ARGUMENT', `image '${path}' cannot be decoded`, { cause });
  });
  if (info.width !== size || info.height !== size || info.channels !== 3) {
    const found = `${info.width}x${info.height}x${info.channels}`;
    throw new LcqError('INVALID_ARGUMENT', `image '${path}' is ${found}, not ${size}x${size}x3`);
  }
  return data;
}
