import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LcqError } from '../errors.js';
import type { CocoDataset, CocoObject, CocoPicture } from './coco-annotations.js';
import { type XmlElement, xmlElement } from './xml-element.js';

/** An annotation is a few hundred bytes an object. */
const MAX_BYTES = 4 * 2 ** 20;
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/**
 * Reads one split of a data set of marked pictures in the form of PASCAL VOC: names in `ImageSets/Main/SPLIT.txt`, one
 * a line, boxes in `Annotations/NAME.xml`, pictures in `JPEGImages/NAME.jpg`. Classes are in the order of their names.
 *
 * Rejects with NOT_FOUND (no such file) or INVALID_ARGUMENT naming file and field.
 */
export async function readPascalVoc(folder: string, split: string): Promise<CocoDataset> {
  const listed = await namesIn(join(folder, 'ImageSets', 'Main', `${split}.txt`));
  const marked = [];
  for (const name of listed) {
    const objects = await readObjects(join(folder, 'Annotations', `${name}.xml`));
    marked.push({ path: join(folder, 'JPEGImages', `${name}.jpg`), objects });
  }
  const labels = new Set(marked.flatMap(({ objects }) => objects.map(({ label }) => label)));
  const categories = [...labels].sort();
  const pictures = marked.map(({ path, objects }): CocoPicture => {
    const indexed = objects.map(({ label, box }): CocoObject => {
      return { category: categories.indexOf(label), box, isCrowd: false };
    });
    return { path, objects: indexed };
  });
  return { pictures, categories: new Map(categories.entries()) };
}

async function namesIn(path: string): Promise<string[]> {
  const lines = (await readText(path)).split('\n').map((line) => line.trim());
  const names = lines.filter((line) => line !== '');
  const wrong = names.find((name) => !PLAIN_NAME.test(name));
  if (wrong !== undefined) {
    throw new LcqError('INVALID_ARGUMENT', `${path}: '${wrong}' is not a plain file name`);
  }
  if (names.length > 0) return names;
  throw new LcqError('INVALID_ARGUMENT', `${path} names no picture`);
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause) => {
    throw new LcqError('NOT_FOUND', `${path} cannot be read`, { cause });
  });
  if (bytes.length <= MAX_BYTES) return bytes.toString('utf8');
  throw new LcqError('INVALID_ARGUMENT', `${path} has more than ${MAX_BYTES} bytes`);
}

async function readObjects(path: string) {
  const annotation = xmlElement(await readText(path), 'annotation', path);
  return annotation.children('object').map((object) => {
    const label = object.child('name').text();
    return { label, box: boxOf(object.child('bndbox')) };
  });
}

/** Edges are taken as they stand: the size of a box is the difference of its edges. */
function boxOf(bounds: XmlElement) {
  const [x, y, right, bottom] = ['xmin', 'ymin', 'xmax', 'ymax'].map((edge) =>
    bounds.child(edge).number(),
  );
  if (right < x || bottom < y) {
    throw bounds.invalid(`xmin ${x}, ymin ${y}, xmax ${right}, ymax ${bottom} are no box`);
  }
  return { x, y, width: right - x, height: bottom - y };
}
