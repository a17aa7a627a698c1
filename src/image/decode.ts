import sharp from 'sharp';
import { LcqError } from '../errors.js';
import { ConcurrencyLimit } from './concurrency-limit.js';
import { imageFormat } from './format.js';

// One thread for each picture: pictures are decoded side by side on libuv's pool, and the cores belong to inference.
sharp.concurrency(1);
// Every picture is new; libvips' cache of operations would only hold memory.
sharp.cache(false);

/**
 * Pictures decoded at once. libuv's pool has four threads and runs batches too: with all four at large pictures, a
 * batch waited 2 s behind 40 photos of 12 megapixels on two cores.
 */
const decoding = new ConcurrencyLimit(2);

export interface ImageLimits {
  /** Largest encoded size, in bytes. */
  readonly maxBytes: number;
  /** Largest width times height, as the header states it. */
  readonly maxPixels: number;
}

export interface PixelSize {
  readonly width: number;
  readonly height: number;
  /** `cover` scales until the target is filled and crops the centre; `stretch` ignores the aspect ratio. */
  readonly resize: 'cover' | 'stretch';
}

/**
 * Decodes a JPEG, PNG or WebP picture to sRGB bytes, `[height, width, 3]` row-major, each 0..255.
 *
 * EXIF orientation is applied, transparency dropped, of an animation the first frame taken. A picture that already has
 * the target's size is passed through unchanged.
 *
 * Rejects with INVALID_ARGUMENT (empty, not such a picture, truncated, corrupt) or TOO_LARGE (bytes, pixels). Size and
 * pixels are checked before anything is decoded.
 */
export async function decodePixels(
  encoded: Uint8Array,
  target: PixelSize,
  limits: ImageLimits,
): Promise<Uint8Array> {
  checkFile(encoded, limits);
  return decoding.run(async () => {
    await checkHeader(encoded, limits);
    return decode(encoded, target, limits);
  });
}

function checkFile(encoded: Uint8Array, { maxBytes }: ImageLimits): void {
  if (encoded.length === 0) throw new LcqError('INVALID_ARGUMENT', 'the image is empty (0 bytes)');
  if (encoded.length > maxBytes) {
    const message = `the image has ${encoded.length} bytes; the limit is ${maxBytes}`;
    throw new LcqError('TOO_LARGE', message);
  }
  if (imageFormat(encoded) === undefined) {
    throw new LcqError('INVALID_ARGUMENT', 'the image is not a JPEG, PNG or WebP file');
  }
}

async function checkHeader(encoded: Uint8Array, { maxPixels }: ImageLimits): Promise<void> {
  const { width, height } = await readHeader(encoded);
  if (width * height > maxPixels) {
    const pixels = `${width} x ${height} pixels`;
    throw new LcqError('TOO_LARGE', `the image has ${pixels}; the limit is ${maxPixels} pixels`);
  }
}

async function readHeader(encoded: Uint8Array): Promise<{ width: number; height: number }> {
  try {
    return await sharp(encoded, { failOn: 'error', limitInputPixels: false }).metadata();
  } catch (cause) {
    const message = `the ${imageFormat(encoded)} image has a truncated or corrupt header`;
    throw new LcqError('INVALID_ARGUMENT', message, { cause });
  }
}

async function decode(
  encoded: Uint8Array,
  { width, height, resize }: PixelSize,
  { maxPixels }: ImageLimits,
): Promise<Uint8Array> {
  try {
    return await sharp(encoded, { failOn: 'error', limitInputPixels: maxPixels })
      .autoOrient()
      .resize({ width, height, fit: resize === 'cover' ? 'cover' : 'fill' })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', 'the image is truncated or corrupt', { cause });
  }
}
