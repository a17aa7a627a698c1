import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { LcqError } from '../src/errors.js';
import { seededRandom } from './random.js';
import type { Payload } from './scenario.js';

/** What is sent again and again, made before the clock starts: the elements of a tensor, or an encoded picture. */
export type Content = Buffer;

/** Different contents of one stream: enough that no cache of anything can help. */
const VARIANTS = 16;
const PICTURE = /\.(jpe?g|png|webp)$/i;
/** Side of a patch of even colour, in pixels: a JPEG of such patches has about the bytes of a photo. */
const PATCH = 6;

export async function contentsOf(payload: Payload, seed: number): Promise<Content[]> {
  if (payload.kind === 'files') return picturesIn(payload.folder, payload.limit);
  const contents: Content[] = [];
  for (let i = 0; i < VARIANTS; i++) {
    const random = seededRandom(seed * VARIANTS + i);
    contents.push(
      payload.kind === 'tensor' ? tensorBytes(payload, random) : await picture(payload, random),
    );
  }
  return contents;
}

async function picturesIn(folder: string, limit: number): Promise<Content[]> {
  const names = await readdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new LcqError('NOT_FOUND', `cannot read the folder ${folder}`, { cause });
  });
  const pictures = names.filter((name) => PICTURE.test(name)).sort();
  if (pictures.length === 0) throw new LcqError('NOT_FOUND', `no pictures in ${folder}`);
  return Promise.all(pictures.slice(0, limit).map((name) => readFile(join(folder, name))));
}

function tensorBytes(
  { datatype, shape }: Payload & { kind: 'tensor' },
  random: () => number,
): Content {
  const length = shape.reduce((product, axis) => product * axis, 1);
  if (datatype === 'UINT8') {
    return Buffer.from(Uint8Array.from({ length }, () => random() * 256));
  }
  return Buffer.from(Float32Array.from({ length }, () => random() * 4 - 2).buffer);
}

function picture(
  { width, height, format }: Payload & { kind: 'picture' },
  random: () => number,
): Promise<Content> {
  const small = { width: Math.ceil(width / PATCH), height: Math.ceil(height / PATCH) };
  const length = small.width * small.height * 3;
  const patches = Uint8Array.from({ length }, () => random() * 256);
  return sharp(patches, { raw: { ...small, channels: 3 } })
    .resize({ width, height, kernel: 'cubic', fit: 'fill' })
    .toFormat(format)
    .toBuffer();
}
