import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pixelPacker } from '../../src/image/normalize.js';

// Two pictures of 1 x 2 pixels.
const PICTURES = [Uint8Array.of(0, 51, 102, 153, 204, 255), Uint8Array.of(1, 2, 3, 4, 5, 6)];

test('bytes pass unchanged in NHWC and are transposed for NCHW', () => {
  const nhwc = pixelPacker({ layout: 'NHWC', normalization: undefined })(PICTURES);
  assert.deepEqual(nhwc, Uint8Array.of(0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6));
  const nchw = pixelPacker({ layout: 'NCHW', normalization: undefined })(PICTURES);
  assert.deepEqual(nchw, Uint8Array.of(0, 153, 51, 204, 102, 255, 1, 4, 2, 5, 3, 6));
});

test('normalization is (pixel * scale - mean) / std of each channel', () => {
  const normalization = { scale: 1 / 255, mean: [0, 0.2, 0.4], std: [1, 0.5, 0.25] };
  const expected = PICTURES.map((pixels) =>
    [...pixels].map((pixel, i) => {
      const { mean, std } = normalization;
      return Math.fround((pixel * normalization.scale - mean[i % 3]) / std[i % 3]);
    }),
  );
  const nhwc = pixelPacker({ layout: 'NHWC', normalization })(PICTURES);
  assert.deepEqual(nhwc, Float32Array.from(expected.flat()));
  const nchw = pixelPacker({ layout: 'NCHW', normalization })(PICTURES);
  const transposed = expected.flatMap(([r0, g0, b0, r1, g1, b1]) => [r0, r1, g0, g1, b0, b1]);
  assert.deepEqual(nchw, Float32Array.from(transposed));
});

test('BGR reverses the colours; the normalization is of the channels as the model has them', () => {
  const bytes = { layout: 'NHWC', channels: 'BGR', normalization: undefined } as const;
  const reversed = Uint8Array.of(102, 51, 0, 255, 204, 153, 3, 2, 1, 6, 5, 4);
  assert.deepEqual(pixelPacker(bytes)(PICTURES), reversed);
  const nchw = Uint8Array.of(102, 255, 51, 204, 0, 153, 3, 6, 2, 5, 1, 4);
  assert.deepEqual(pixelPacker({ ...bytes, layout: 'NCHW' })(PICTURES), nchw);
  const normalization = { scale: 1, mean: [1, 2, 3], std: [1, 2, 4] };
  const [, second] = [0, 1].map((n) =>
    pixelPacker({ layout: 'NHWC', channels: 'BGR', normalization })([PICTURES[n]]),
  );
  assert.deepEqual(second, Float32Array.of(2, 0, -0.5, 5, 1.5, 0.25));
});
