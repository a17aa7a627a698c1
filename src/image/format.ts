export type ImageFormat = 'jpeg' | 'png' | 'webp';

const startsWith = (bytes: Uint8Array, at: number, signature: readonly number[]) =>
  signature.every((byte, i) => bytes[at + i] === byte);

const JPEG = [0xff, 0xd8, 0xff];
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const RIFF = [...'RIFF'].map((letter) => letter.charCodeAt(0));
const WEBP = [...'WEBP'].map((letter) => letter.charCodeAt(0));

/**
 * The format by the file's signature, undefined for everything that this server does not decode.
 *
 * The decoder library reads a dozen formats more (SVG, GIF, TIFF, HEIF); none of them is let near it.
 */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, 0, JPEG)) return 'jpeg';
  if (startsWith(bytes, 0, PNG)) return 'png';
  if (startsWith(bytes, 0, RIFF) && startsWith(bytes, 8, WEBP)) return 'webp';
  return undefined;
}
