import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LcqError } from '../errors.js';
import type { Box } from '../vision/boxes.js';

export interface CocoObject {
  readonly category: number;
  readonly box: Box;
  readonly isCrowd: boolean;
}

export interface CocoPicture {
  readonly path: string;
  readonly objects: readonly CocoObject[];
}

export interface CocoDataset {
  readonly pictures: readonly CocoPicture[];
  /** Names by id. */
  readonly categories: ReadonlyMap<number, string>;
}

/**
 * Reads a data set of marked pictures: `DIR/annotations.json` in the format of COCO's object detection task, and the
 * files it names in `DIR/images/`.
 *
 * Rejects with NOT_FOUND (no such file) or INVALID_ARGUMENT naming the entry that is malformed.
 */
export async function readCocoDataset(folder: string): Promise<CocoDataset> {
  const path = join(folder, 'annotations.json');
  const file = parse(await readText(path), path);
  const categories = new Map(
    file.list('categories').map((entry) => [entry.integer('id'), entry.text('name')]),
  );
  const images = file.list('images');
  const objects = new Map<number, CocoObject[]>(images.map((entry) => [entry.integer('id'), []]));
  for (const entry of file.list('annotations')) {
    const ofPicture = objects.get(entry.integer('image_id'));
    if (ofPicture === undefined) throw entry.invalid('there is no image of its image_id');
    ofPicture.push(readObject(entry, categories));
  }
  const pictures = images.map((entry) => ({
    path: join(folder, 'images', fileName(entry)),
    objects: objects.get(entry.integer('id')) as CocoObject[],
  }));
  return { pictures, categories };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new LcqError('NOT_FOUND', `${path} cannot be read`, { cause });
  }
}

function parse(text: string, path: string): Entry {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const message = `${path} is not JSON: ${(cause as Error).message}`;
    throw new LcqError('INVALID_ARGUMENT', message, { cause });
  }
  return new Entry(json, path);
}

/** A JSON object that knows its place in the file, for the messages. */
class Entry {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #place: string;

  constructor(json: unknown, place: string) {
    this.#place = place;
    if (typeof json !== 'object' || json === null) throw this.invalid('is not an object');
    this.#fields = json as Readonly<Record<string, unknown>>;
  }

  get(key: string): unknown {
    return this.#fields[key];
  }

  list(key: string): Entry[] {
    const value = this.get(key);
    if (!Array.isArray(value)) throw this.invalid(`'${key}' is not a list`);
    return value.map((json, i) => new Entry(json, `${this.#place}: ${key}[${i}]`));
  }

  integer(key: string): number {
    const value = this.get(key);
    if (Number.isSafeInteger(value)) return value as number;
    throw this.invalid(`'${key}' is not an integer`);
  }

  text(key: string): string {
    const value = this.get(key);
    if (typeof value === 'string' && value !== '') return value;
    throw this.invalid(`'${key}' is not a text`);
  }

  invalid(problem: string): LcqError {
    return new LcqError('INVALID_ARGUMENT', `${this.#place}: ${problem}`);
  }
}

/** A plain name: files outside the folder are not read. */
function fileName(entry: Entry): string {
  const name = entry.text('file_name');
  if (name === basename(name) && name !== '.' && name !== '..') return name;
  throw entry.invalid(`'file_name' is not a plain file name`);
}

function readObject(entry: Entry, categories: ReadonlyMap<number, string>): CocoObject {
  const category = entry.integer('category_id');
  if (!categories.has(category)) throw entry.invalid(`there is no category ${category}`);
  const box = entry.get('bbox');
  const isBox = Array.isArray(box) && box.length === 4 && box.every(Number.isFinite);
  if (!isBox || box[2] < 0 || box[3] < 0) {
    throw entry.invalid(`'bbox' is not [x, y, width, height]`);
  }
  const [x, y, width, height] = box as number[];
  return { category, box: { x, y, width, height }, isCrowd: entry.get('iscrowd') === 1 };
}
