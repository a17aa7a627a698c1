import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { LcqError } from '../../src/errors.js';
import { decodePicture, decodePixels, type PictureTarget } from '../../src/image/decode.js';

const LIMITS = { maxBytes: 1_000_000, maxPixels: 1_000_000 };
const TARGET: PictureTarget = {
  width: 8,
  height: 8,
  resize: 'cover',
  padding: { position: 'end', value: 114 },
};

type Call = Parameters<typeof decodePicture>;

/** Both ways are one. */
const decode = async (...call: Call) => {
  const [sized, unsized] = await Promise.allSettled([
    decodePicture(...call),
    decodePixels(...call),
  ]);
  if (sized.status === 'rejected' || unsized.status === 'rejected') {
    const reasons = [sized, unsized].map((each) => each.status === 'rejected' && each.reason);
    assert.deepEqual(reasons[0].message, reasons[1].message);
    throw reasons[0];
  }
  assert.deepEqual(unsized.value, sized.value.pixels);
  return sized.value.pixels;
};

/** Pixels that are all different from their neighbours. */
const noise = (width: number, height: number, channels = 3) =>
  Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 97 + (i >> 3) * 31) % 256);

const rawImage = (pixels: Uint8Array, width: number, height: number, channels: 1 | 2 | 3 | 4 = 3) =>
  sharp(pixels, { raw: { width, height, channels } });

const withCode = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof LcqError && error.code === code && message.test(error.message);

test('a picture of the target size is passed through exactly', async () => {
  const pixels = noise(8, 8);
  for (const resize of ['cover', 'stretch', 'letterbox'] as const) {
    const png = await rawImage(pixels, 8, 8).png().toBuffer();
    assert.deepEqual(new Uint8Array(await decode(png, { ...TARGET, resize }, LIMITS)), pixels);
    const webp = await rawImage(pixels, 8, 8).webp({ lossless: true }).toBuffer();
    assert.deepEqual(new Uint8Array(await decode(webp, { ...TARGET, resize }, LIMITS)), pixels);
  }
});

test('a JPEG gives what the decoder gives', async () => {
  const jpeg = await rawImage(noise(8, 8), 8, 8).jpeg({ quality: 70 }).toBuffer();
  const expected = await sharp(jpeg).raw().toBuffer();
  assert.deepEqual(await decode(jpeg, TARGET, LIMITS), expected);
});

test('cover crops the centre, stretch keeps the edges', async () => {
  // Black, with a white band over the left quarter.
  const white = await sharp({ create: { width: 8, height: 16, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
  const png = await sharp({ create: { width: 32, height: 16, channels: 3, background: '#000' } })
    .composite([{ input: white, left: 0, top: 0 }])
    .png()
    .toBuffer();
  const cover = await decode(png, TARGET, LIMITS);
  assert.ok(Math.max(...cover.subarray(6 * 3, 8 * 3)) < 8);
  const stretch = await decode(png, { ...TARGET, resize: 'stretch' }, LIMITS);
  assert.ok(stretch[0] > 247 && stretch[7 * 3] < 8);
});

test('letterbox keeps the aspect ratio and pads, at the end or around', async () => {
  // Red above blue, twice as wide as high.
  const blue = await sharp({ create: { width: 32, height: 8, channels: 3, background: '#00f' } })
    .png()
    .toBuffer();
  const png = await sharp({ create: { width: 32, height: 16, channels: 3, background: '#f00' } })
    .composite([{ input: blue, left: 0, top: 8 }])
    .png()
    .toBuffer();
  const rows = async (position: 'end' | 'around') => {
    const target: PictureTarget = {
      ...TARGET,
      resize: 'letterbox',
      padding: { position, value: 7 },
    };
    const { pixels, original } = await decodePicture(png, target, LIMITS);
    assert.deepEqual(original, { width: 32, height: 16 });
    return Array.from({ length: 8 }, (_, y) => {
      const row = pixels.subarray(y * 24, (y + 1) * 24);
      if (row.every((value) => value === 7)) return 'padding';
      return row.every((value, i) => value === row[i % 3]) && row[0] > row[2] ? 'red' : 'blue';
    });
  };
  const picture = ['red', 'red', 'blue', 'blue'];
  const bar = ['padding', 'padding'];
  assert.deepEqual(await rows('end'), [...picture, ...bar, ...bar]);
  assert.deepEqual(await rows('around'), [...bar, ...picture, ...bar]);
});

test('letterbox turns and converts like the others', async () => {
  const grey = rawImage(noise(4, 8, 1), 4, 8, 1).toColourspace('b-w');
  const pictures = [
    await grey.clone().withMetadata({ orientation: 6 }).png().toBuffer(),
    await rawImage(noise(4, 8, 4), 4, 8, 4)
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer(),
  ];
  for (const png of pictures) {
    const { pixels, original } = await decodePicture(
      png,
      { ...TARGET, resize: 'letterbox' },
      LIMITS,
    );
    assert.deepEqual(original, { width: 8, height: 4 });
    assert.equal(pixels.length, 192);
    assert.ok(pixels.subarray(4 * 24).every((value) => value === 114));
    assert.ok(!pixels.subarray(0, 4 * 24).every((value) => value === 114));
  }
});

test('EXIF orientation is applied', async () => {
  const pixels = noise(8, 8);
  // 6: to be turned by 90 degrees clockwise, so that column x becomes row x, read from the bottom up.
  const png = await rawImage(pixels, 8, 8).withMetadata({ orientation: 6 }).png().toBuffer();
  const turned = await decode(png, TARGET, LIMITS);
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      const from = ((7 - x) * 8 + y) * 3;
      const to = (y * 8 + x) * 3;
      assert.deepEqual([...turned.subarray(to, to + 3)], [...pixels.subarray(from, from + 3)]);
    }
  }
});

test('greyscale, transparency, palettes, 16 bits and CMYK all become three bytes', async () => {
  const grey = noise(8, 8, 1);
  const greyPng = await rawImage(grey, 8, 8, 1).toColourspace('b-w').png().toBuffer();
  assert.deepEqual(
    [...(await decode(greyPng, TARGET, LIMITS))],
    [...grey].flatMap((v) => [v, v, v]),
  );
  const transparent = await rawImage(noise(8, 8, 4), 8, 8, 4)
    .png()
    .toBuffer();
  const opaque = [...noise(8, 8, 4)].filter((_, i) => i % 4 !== 3);
  assert.deepEqual([...(await decode(transparent, TARGET, LIMITS))], opaque);
  const others = [
    await rawImage(noise(8, 8), 8, 8).png({ palette: true, colours: 4 }).toBuffer(),
    await rawImage(noise(8, 8), 8, 8).toColourspace('rgb16').png().toBuffer(),
    await rawImage(noise(8, 8), 8, 8).toColourspace('cmyk').jpeg().toBuffer(),
  ];
  for (const image of others) {
    assert.equal((await decode(image, TARGET, LIMITS)).length, 8 * 8 * 3);
  }
});

test('formats other than JPEG, PNG and WebP are refused', async () => {
  const image = rawImage(noise(8, 8), 8, 8);
  const others = [
    await image.clone().gif().toBuffer(),
    await image.clone().tiff().toBuffer(),
    await image.clone().avif().toBuffer(),
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'),
    Buffer.from('RIFF\0\0\0\0WAVE'),
  ];
  for (const other of others) {
    const refused = withCode('INVALID_ARGUMENT', /not a JPEG, PNG or WebP file/);
    await assert.rejects(decode(other, TARGET, LIMITS), refused);
  }
});

test('bytes and pixels are limited before anything is decoded', async () => {
  const png = await rawImage(noise(32, 16), 32, 16).png().toBuffer();
  const limits = { maxBytes: png.length, maxPixels: 512 };
  assert.equal((await decode(png, TARGET, limits)).length, 192);
  const bytes = { ...limits, maxBytes: png.length - 1 };
  await assert.rejects(decode(png, TARGET, bytes), withCode('TOO_LARGE', /bytes; the limit is/));
  const pixels = { ...limits, maxPixels: 511 };
  await assert.rejects(
    decode(png, TARGET, pixels),
    withCode('TOO_LARGE', /32 x 16 pixels; the limit is 511/),
  );
});

test('a picture cut off anywhere is refused or decoded whole, never a crash', async () => {
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const whole = await rawImage(noise(24, 24), 24, 24).toFormat(format).toBuffer();
    const expected = await decode(whole, TARGET, LIMITS);
    for (let length = 0; length < whole.length; length += Math.ceil(whole.length / 24)) {
      await assert.rejects(
        decode(whole.subarray(0, length), TARGET, LIMITS),
        (error) => error instanceof LcqError && error.code === 'INVALID_ARGUMENT',
        `${format} of ${length} of ${whole.length} bytes`,
      );
    }
    assert.equal(expected.length, 192);
  }
});

test('property: a mutated picture is decoded or refused with a code', async () => {
  const seeds = await Promise.all(
    (['jpeg', 'png', 'webp'] as const).map((format) =>
      rawImage(noise(16, 16), 16, 16).toFormat(format).toBuffer(),
    ),
  );
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...seeds), edits, async (seed, changes) => {
      const image = Uint8Array.from(seed);
      for (const [at, byte] of changes) image[at % image.length] = byte;
      try {
        assert.equal((await decode(image, TARGET, LIMITS)).length, 192);
      } catch (error) {
        assert.ok(error instanceof LcqError);
        assert.ok(['INVALID_ARGUMENT', 'TOO_LARGE'].includes(error.code));
      }
    }),
    { seed: 20252, numRuns: 200 },
  );
});
