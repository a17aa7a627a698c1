/** Pictures of every format that the decoder library knows, and what becomes of them on bad wires and in bad hands. */
import { crc32, deflateSync } from 'node:zlib';
import fc, { type Arbitrary } from 'fast-check';
import sharp from 'sharp';
import { damaged } from './mutations.js';

const NOISE = Uint8Array.from({ length: 48 * 40 * 3 }, (_, i) => (i * i * 31 + i * 7) % 256);

/** Valid pictures, small: those that are served first, then those that must be refused by their signature. */
export interface PictureSeeds {
  readonly served: readonly Buffer[];
  readonly refused: readonly Buffer[];
}

export async function pictureSeeds(): Promise<PictureSeeds> {
  const noise = sharp(NOISE, { raw: { width: 48, height: 40, channels: 3 } });
  const exif = { exif: { IFD0: { Copyright: 'nobody' } }, orientation: 6 };
  const served = [
    noise.clone().jpeg(),
    noise.clone().jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).withMetadata(exif),
    noise.clone().toColourspace('cmyk').jpeg(),
    noise.clone().greyscale().jpeg(),
    noise.clone().png(),
    noise.clone().png({ palette: true, progressive: true }),
    noise.clone().ensureAlpha(0.5).toColourspace('rgb16').png(),
    noise.clone().webp(),
    noise.clone().ensureAlpha(0.5).webp({ lossless: true }).withMetadata(exif),
  ];
  const refused = [noise.clone().gif(), noise.clone().tiff()];
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect/></svg>';
  return {
    served: await Promise.all(served.map((picture) => picture.toBuffer())),
    refused: [
      ...(await Promise.all(refused.map((picture) => picture.toBuffer()))),
      Buffer.from(svg),
    ],
  };
}

/** A picture to send: mostly a damaged one, at times whole, joined, or a bomb. */
export function pictures({ served, refused }: PictureSeeds): Arbitrary<Buffer> {
  const any = fc.constantFrom(...served, ...refused);
  const good = fc.constantFrom(...served);
  return fc.oneof(
    { weight: 40, arbitrary: good.chain((picture) => damaged(picture, 6)) },
    { weight: 20, arbitrary: good.chain((picture) => damagedHeader(picture)) },
    { weight: 8, arbitrary: any.chain((picture) => damaged(picture, 2)) },
    { weight: 6, arbitrary: fc.tuple(good, fc.nat()).map(([picture, at]) => cut(picture, at)) },
    // One format's signature before another's content.
    { weight: 6, arbitrary: fc.tuple(good, any, fc.nat(40)).map(spliced) },
    { weight: 4, arbitrary: any },
    { weight: 4, arbitrary: fc.tuple(extent, extent, fc.boolean()).map((png) => emptyPng(...png)) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 4000 }).map(largeText) },
  );
}

const extent = fc.constantFrom(0, 1, 2, 31, 1000, 7071, 30_000, 65_500, 2 ** 31 - 1, 2 ** 32 - 1);

const cut = (picture: Buffer, at: number) => picture.subarray(0, at % picture.length);

const spliced = ([a, b, at]: [Buffer, Buffer, number]) =>
  Buffer.concat([a.subarray(0, at), b.subarray(at)]);

/** Damage where dimensions, tables and lengths are. */
const damagedHeader = (picture: Buffer): Arbitrary<Buffer> =>
  damaged(picture.subarray(0, 200), 3).map((head) => Buffer.concat([head, picture.subarray(200)]));

/** A PNG whose header states any size, with rows for a small one; or a bomb: 8 MB of black that 8 kB unpack to. */
function emptyPng(width: number, height: number, isBomb: boolean): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', isBomb ? BLACK : deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const BLACK = deflateSync(Buffer.alloc(8 << 20));

/** A PNG with a compressed text chunk that unpacks to `kilobytes`. */
function largeText(kilobytes: number): Buffer {
  const png = emptyPng(8, 8, false);
  const text = Buffer.concat([
    Buffer.from('Title\0\0'),
    deflateSync(Buffer.alloc(kilobytes << 10)),
  ]);
  return Buffer.concat([png.subarray(0, 33), chunk('zTXt', text), png.subarray(33)]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body) >>> 0, 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
