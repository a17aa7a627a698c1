import sharp from 'sharp';
import { LcqError } from '../errors.js';
import { pictureWork } from './decode.js';
import { imageFormat } from './format.js';

export interface CaptionedBox {
  /** In pixels of the upright picture. */
  readonly box: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  };
  readonly caption: string;
  /** Boxes of one number have one colour. */
  readonly colour: number;
}

export interface Drawing {
  readonly type: 'image/jpeg' | 'image/png';
  readonly bytes: Uint8Array;
}

/** Longest side of a drawing, in pixels: it is for looking at. */
const MAX_SIDE = 2048;
/** Golden angle, in degrees: neighbouring numbers get colours that are far apart. */
const HUE_STEP = 137.508;
const FONT_SIZE = 14;
/** Rough width of a character, in font sizes. */
const CHARACTER_WIDTH = 0.6;

/**
 * Draws boxes with their captions, the first on top, on a picture that has passed `decodePicture`.
 *
 * The drawing is upright, a JPEG for a JPEG and a PNG for all others, and not larger than 2048 x 2048. Rejects with
 * INVALID_ARGUMENT if the picture turns out to be corrupt only at this size.
 */
export function drawBoxes(encoded: Uint8Array, boxes: readonly CaptionedBox[]): Promise<Drawing> {
  return pictureWork.run(async () => {
    try {
      return await draw(encoded, boxes);
    } catch (cause) {
      throw new LcqError('INVALID_ARGUMENT', 'the image is truncated or corrupt', { cause });
    }
  });
}

async function draw(encoded: Uint8Array, boxes: readonly CaptionedBox[]): Promise<Drawing> {
  const picture = sharp(encoded, { failOn: 'error' });
  const { autoOrient: original } = await picture.metadata();
  const scale = Math.min(1, MAX_SIDE / Math.max(original.width, original.height));
  const width = Math.max(1, Math.round(original.width * scale));
  const height = Math.max(1, Math.round(original.height * scale));
  const overlay = Buffer.from(overlaySvg(boxes, { width, height, scale }));
  const drawing = picture
    .autoOrient()
    .resize({ width, height, fit: 'fill' })
    .toColourspace('srgb')
    .composite([{ input: overlay, left: 0, top: 0 }]);
  return imageFormat(encoded) === 'jpeg'
    ? { type: 'image/jpeg', bytes: await drawing.jpeg({ quality: 90 }).toBuffer() }
    : { type: 'image/png', bytes: await drawing.png().toBuffer() };
}

function overlaySvg(
  boxes: readonly CaptionedBox[],
  { width, height, scale }: { width: number; height: number; scale: number },
): string {
  // Worst first, so that the best lie on top.
  const shapes = boxes.toReversed().map((captioned) => boxSvg(captioned, scale, width));
  const size = `width="${width}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${shapes.join('')}</svg>`;
}

function boxSvg({ box, caption, colour }: CaptionedBox, scale: number, width: number): string {
  const [x, y, boxWidth, boxHeight] = [box.x, box.y, box.width, box.height].map((v) => v * scale);
  const fill = `hsl(${(colour * HUE_STEP) % 360}, 90%, 40%)`;
  const labelWidth = caption.length * FONT_SIZE * CHARACTER_WIDTH + 6;
  const labelX = Math.max(0, Math.min(x, width - labelWidth));
  // Above the box, or inside where there is no room.
  const labelY = y >= FONT_SIZE + 4 ? y - FONT_SIZE - 4 : y;
  return (
    `<rect x="${x}" y="${y}" width="${boxWidth}" height="${boxHeight}" ` +
    `fill="none" stroke="${fill}" stroke-width="2"/>` +
    `<rect x="${labelX}" y="${labelY}" width="${labelWidth}" height="${FONT_SIZE + 4}" fill="${fill}"/>` +
    `<text x="${labelX + 3}" y="${labelY + FONT_SIZE}" font-family="sans-serif" ` +
    `font-size="${FONT_SIZE}" fill="#fff">${escapeXml(caption)}</text>`
  );
}

/** Text as XML content; characters that XML cannot hold become a replacement character. */
function escapeXml(text: string): string {
  return text
    .replace(/[\p{Cc}\uFFFE\uFFFF]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
