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
const isPascalVoc = (folder: string): Promise<boolean> => exists(join(folder, 'ImageSets', 'Main'));

/** Whether the part of a folder for training marks objects, in either form. */
export async function marksObjects(folder: string): Promise<boolean> {
  return (await isPascalVoc(folder)) || exists(join(folder, 'train', 'annotations.json'));
}

/** Reads marked pictures: a split of PASCAL VOC, or all of a folder in the form of COCO. Rejects as these do. */
export async function readMarkedPictures(folder: string, split: string): Promise<CocoDataset> {
  return (await isPascalVoc(folder)) ? readPascalVoc(folder, split) : readCocoDataset(folder);
}

/** Reads a split of data to train on: of PASCAL VOC, or the folder of that name in the form of COCO. */
export async function readSplit(folder: string, split: string): Promise<CocoDataset> {
  return (await isPascalVoc(folder))
    ? readPascalVoc(folder, split)
    : readCocoDataset(join(folder, split));
}
