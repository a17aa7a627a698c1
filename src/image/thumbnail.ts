import sharp from 'sharp';
import { LcqError } from '../errors.js';
import { type ImageLimits, pictureWork } from './decode.js';

export interface Thumbnail {
  /** The picture itself as an address, `data:image/webp;base64,...`. */
  readonly dataUri: string;
  /** In pixels. */
  readonly width: number;
}

/**
 * A picture that is no larger than a square of `size` pixels; smaller ones keep their size.
 *
 * Rejects with INVALID_ARGUMENT for what is no picture, or has more pixels than the limit.
 */
export function thumbnail(
  encoded: Uint8Array,
  size: number,
  { maxPixels }: ImageLimits,
): Promise<Thumbnail> {
  return pictureWork.run(async () => {
    try {
      const { data, info } = await sharp(encoded, { limitInputPixels: maxPixels })
        .autoOrient()
        .resize({ width: size, height: size, fit: 'inside', withoutEnlargement: true })
        .webp({ quality: 85 })
        .toBuffer({ resolveWithObject: true });
      return {
        dataUri: `data:image/webp;base64,${data.toString('base64')}`,
        width: info.width,
      };
    } catch (cause) {
      throw new LcqError('INVALID_ARGUMENT', 'the image is truncated or corrupt', { cause });
    }
  });
}
