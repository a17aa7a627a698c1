import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type CocoDataset, readCocoDataset } from './coco-annotations.js';
import { readPascalVoc } from './pascal-voc.js';

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Whether a folder has the form of PASCAL VOC. */
export const isPascalVoc = (folder: string): Promise<boolean> =>
  exists(join(folder, 'ImageSets', 'Main'));

/** Whether the part of a folder for training marks objects, in either form. */
export async function marksObjects(folder: string): Promise<boolean> {
  return (await isPascalVoc(folder)) || exists(join(folder, 'train', 'annotations.json'));
}

/** Reads a split of marked pictures: that of PASCAL VOC, or `FOLDER/SPLIT` in the form of COCO. Rejects as these do. */
export async function readSplit(folder: string, split: string): Promise<CocoDataset> {
  if (await isPascalVoc(folder)) return readPascalVoc(folder, split);
  return readCocoDataset(join(folder, split));
}
