import sharp, { type Sharp } from 'sharp';
import { LcqError } from '../errors.js';
import { ConcurrencyLimit } from './concurrency-limit.js';
import { imageFormat } from './format.js';
import { type Padding, placePicture, type Size } from './letterbox.js';

// One thread for each picture: pictures are decoded side by side on libuv's pool, and the cores belong to inference.
sharp.concurrency(1);
// Every picture is new; libvips' cache of operations would only hold memory.
sharp.cache(false);

/**
 * Pictures decoded or drawn at once. libuv's pool has four threads and runs batches too: with all four at large pictures, a
 * batch waited 2 s behind 40 photos of 12 megapixels on two cores.
 */
export const pictureWork = new ConcurrencyLimit(2);

export interface ImageLimits {
  /** Largest encoded size, in bytes. */
  readonly maxBytes: number;
  /** Largest width times height, as the header states it. */
  readonly maxPixels: number;
}

/** The picture that a model wants. */
export interface PictureTarget extends Size {
  /**
   * `cover` scales until the target is filled and crops the centre; `stretch` ignores the aspect ratio; `letterbox`
   * scales until all of the picture fits and pads the rest.
   */
  readonly resize: 'cover' | 'stretch' | 'letterbox';
  /** Of `letterbox`. */
  readonly padding: Padding;
}

/** A decoded picture. */
export interface Picture {
  /** Of the target's size: `[height, width, 3]` row-major, sRGB, each 0..255. */
  readonly pixels: Uint8Array;
  /** Size of the picture as it came, upright. */
  readonly original: Size;
}

/**
 * Decodes a JPEG, PNG or WebP picture into the target's size.
 *
 * EXIF orientation is applied, transparency dropped, of an animation the first frame taken. A picture that already has
 * the target's size is passed through unchanged.
 *
 * Rejects with INVALID_ARGUMENT (empty, not such a picture, truncated, corrupt) or TOO_LARGE (bytes, pixels). Size and
 * pixels are checked before anything is decoded.
 */
export async function decodePicture(
  encoded: Uint8Array,
  target: PictureTarget,
  limits: ImageLimits,
): Promise<Picture> {
  checkFile(encoded, limits);
  return pictureWork.run(async () => {
    const original = await checkHeader(encoded, limits);
    return { pixels: await decode(encoded, target, original, limits), original };
  });
}

/** The same for those who need not know the picture's size: a small one takes a third less time. */
export async function decodePixels(
  encoded: Uint8Array,
  target: PictureTarget,
  limits: ImageLimits,
): Promise<Uint8Array> {
  // Where it goes depends on its size.
  if (target.resize === 'letterbox') return (await decodePicture(encoded, target, limits)).pixels;
  checkFile(encoded, limits);
  return pictureWork.run(async () => {
    try {
      return await decode(encoded, target, target, limits);
    } catch (error) {
      // The header may say more of what is wrong.
      await checkHeader(encoded, limits);
      throw error;
    }
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

/** Resolves to the size of the upright picture. */
async function checkHeader(encoded: Uint8Array, { maxPixels }: ImageLimits): Promise<Size> {
  const { width, height } = await readHeader(encoded);
  if (width * height > maxPixels) {
    const pixels = `${width} x ${height} pixels`;
    throw new LcqError('TOO_LARGE', `the image has ${pixels}; the limit is ${maxPixels} pixels`);
  }
  return { width, height };
}

async function readHeader(encoded: Uint8Array): Promise<Size> {
  try {
    const image = sharp(encoded, { failOn: 'error', limitInputPixels: false });
    return (await image.metadata()).autoOrient;
  } catch (cause) {
    const message = `the ${imageFormat(encoded)} image has a truncated or corrupt header`;
    throw new LcqError('INVALID_ARGUMENT', message, { cause });
  }
}

async function decode(
  encoded: Uint8Array,
  target: PictureTarget,
  original: Size,
  { maxPixels }: ImageLimits,
): Promise<Uint8Array> {
  try {
    const image = sharp(encoded, { failOn: 'error', limitInputPixels: maxPixels }).autoOrient();
    return await resize(image, target, original)
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', 'the image is truncated or corrupt', { cause });
  }
}

function resize(image: Sharp, target: PictureTarget, original: Size): Sharp {
  const { width, height, padding } = target;
  if (target.resize === 'cover') return image.resize({ width, height, fit: 'cover' });
  if (target.resize === 'stretch') return image.resize({ width, height, fit: 'fill' });
  const placed = placePicture(original, target);
  const grey = padding.value;
  return image.resize({ width: placed.width, height: placed.height, fit: 'fill' }).extend({
    left: placed.left,
    top: placed.top,
    right: width - placed.left - placed.width,
    bottom: height - placed.top - placed.height,
    background: { r: grey, g: grey, b: grey },
  });
}
