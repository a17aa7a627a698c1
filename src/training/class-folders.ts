import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LcqError } from '../errors.js';

/** An encoded image whose class is known. */
export interface LabelledFile {
  readonly path: string;
  readonly label: string;
}

const IMAGE_FILE = /\.(jpe?g|png|webp)$/i;

/**
 * The images of a folder that has one folder a class, in the order of their names.
 * @throws LcqError NOT_FOUND if the folder cannot be read or holds no such images
 */
export async function listClassFolders(folder: string): Promise<LabelledFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw new LcqError('NOT_FOUND', `data folder '${folder}' cannot be read`, { cause });
  });
  const labels = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const lists = await Promise.all(
    labels.sort().map(async (label) => {
      const names = (await readdir(join(folder, label))).filter((name) => IMAGE_FILE.test(name));
      return names.sort().map((name) => ({ label, path: join(folder, label, name) }));
    }),
  );
  const files = lists.flat();
  if (files.length > 0) return files;
  throw new LcqError('NOT_FOUND', `data folder '${folder}' has no images in class folders`);
}
