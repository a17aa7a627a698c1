import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { packCodes } from '../../src/lcq/bit-packing.js';
import {
  integerConvolution,
  lcqConv,
  lcqConvAdd,
  lcqConvStream,
  lcqGemm,
  lcqGlobalAveragePool,
  lcqQuantizeReals,
} from '../../src/lcq/reference-ops.js';

/** A 1x1 convolution of one channel whose weight is +1 or -1: the accumulator is the input level, or its negative. */
const pointwise = {
  weightShape: [1, 1, 1, 1],
  weightBits: 2,
  strides: [1, 1],
  pads: [0, 0, 0, 0],
  dilations: [1, 1],
  group: 1,
  inputZeroPoint: 0,
  outputMin: -32768,
} as const;
const ternary = Int8Array.of(-1, 0, 1);
const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const row = (...values: number[]) => ({
  shape: [1, 1, values.length, 1],
  data: Uint8Array.from(values),
});
const operands = (x: ReturnType<typeof row>, weights: number[] = [2]) => ({
  x,
  w: packCodes(weights, 2),
  weightLevels: ternary,
  inputLevels: bytes,
});

describe('the integer convolution', () => {
  test('sums levels under the kernel, worked by hand', () => {
    // 2 x 3 image, 3 x 3 kernel, padding 1; the kernel is +1 left of the centre, -1 right of it.
    const x = { shape: [1, 2, 3, 1], data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    const w = packCodes([1, 1, 1, 2, 1, 0, 1, 1, 1], 2);
    const acc = integerConvolution(
      { ...pointwise, weightShape: [1, 3, 3, 1], pads: [1, 1, 1, 1] },
      { x, w, weightLevels: ternary, inputLevels: bytes },
    );
    assert.deepEqual(acc, { shape: [1, 2, 3, 1], data: Int32Array.of(-2, -2, 2, -5, -2, 5) });
  });

  test('pads with zero after the zero point is taken off', () => {
    const acc = integerConvolution(
      { ...pointwise, pads: [0, 1, 0, 1], inputZeroPoint: 128 },
      operands(row(0, 128, 255)),
    );
    assert.deepEqual([...acc.data], [0, -128, 0, 127, 0]);
  });

  test('steps by strides and dilations, and keeps groups apart', () => {
    const x = { shape: [1, 1, 5, 2], data: Uint8Array.of(1, 10, 2, 20, 3, 30, 4, 40, 5, 50) };
    const acc = integerConvolution(
      { ...pointwise, weightShape: [2, 1, 2, 1], group: 2, strides: [1, 2], dilations: [1, 2] },
      { x, w: packCodes([2, 2, 2, 0], 2), weightLevels: ternary, inputLevels: bytes },
    );
    assert.deepEqual(acc, { shape: [1, 1, 2, 2], data: Int32Array.of(4, -20, 8, -20) });
  });

  test('refuses a code without a level', () => {
    const given = { ...operands(row(3)), inputLevels: Uint8Array.of(0, 1, 2) };
    assert.throws(() => integerConvolution(pointwise, given), {
      code: 'INVALID_ARGUMENT',
      message: /beyond the 3/,
    });
  });
});

test('LcqConv gives the count of thresholds, ties to the higher code', () => {
  const y = lcqConv(pointwise, {
    ...operands(row(4, 5, 6, 7, 9)),
    thresholds: Int32Array.of(5, 7, 7),
  });
  assert.deepEqual([...y.data], [0, 1, 1, 3, 3]);
});

describe('LcqConvStream', () => {
  const stream = (x: number[], scale: number, bias: number, outputMin: 0 | -32768 = -32768) => {
    const { s, y } = lcqConvStream(
      { ...pointwise, outputMin },
      {
        ...operands(row(...x)),
        scale: Float32Array.of(scale),
        bias: Float32Array.of(bias),
        streamThresholds: Int32Array.of(0, 1, 100),
      },
    );
    return { s: [...s.data], y: [...y.data] };
  };

  test('rounds halves to even', () => {
    assert.deepEqual(stream([1, 3, 5, 7], 0.5, 0).s, [0, 2, 2, 4]);
    assert.deepEqual(stream([1, 3, 5, 7], -0.5, 0).s, [0, -2, -2, -4]);
  });

  test('saturates, and cuts at its minimum', () => {
    assert.deepEqual(stream([1, 200], 1e5, -1e6), { s: [-32768, 32767], y: [0, 3] });
    assert.deepEqual(stream([1, 200], 1e5, -1e6, 0), { s: [0, 32767], y: [1, 3] });
  });

  test('rounds the product before the bias is added', () => {
    // fl(15 * fl(0.3)) is 4.5; the exact product lies above it, so a fused multiply-add would give 3.
    assert.deepEqual(stream([15], 0.3, -2).s, [2]);
  });
});

test('LcqConvAdd subsamples, shifts and saturates the residual', () => {
  const given = {
    x: { shape: [1, 1, 2, 1], data: Uint8Array.of(1, 2) },
    w: packCodes([2, 2, 2], 2),
    weightLevels: ternary,
    inputLevels: bytes,
    scale: Float32Array.of(1, 1, 32000),
    bias: Float32Array.of(0, 0, 0),
    streamThresholds: Int32Array.of(10, 32767),
    r: { shape: [1, 2, 3, 2], data: Int16Array.of(100, 900, 7, 7, 200, -900, 7, 7, 7, 7, 7, 7) },
  };
  const attributes = {
    ...pointwise,
    weightShape: [3, 1, 1, 1],
    residualStride: 2,
    residualOffset: 1,
  };
  const { s, y } = lcqConvAdd(attributes, given);
  assert.deepEqual(s, { shape: [1, 1, 2, 3], data: Int16Array.of(1, 101, 32767, 2, 202, 31867) });
  assert.deepEqual([...y.data], [0, 1, 2, 0, 1, 1]);
});

test('LcqGlobalAveragePool scales the sum, rounds to even and clamps to a byte', () => {
  const s = { shape: [1, 1, 2, 4], data: Int16Array.of(1, 4, 30000, -5, 4, 6, 30000, 1) };
  assert.deepEqual(lcqGlobalAveragePool({ scale: 0.5 }, s), {
    shape: [1, 4],
    data: Uint8Array.of(2, 5, 255, 0),
  });
});

test('LcqGemm gives reals', () => {
  const y = lcqGemm(
    { weightShape: [2, 3], weightBits: 4 },
    {
      x: { shape: [2, 3], data: Uint8Array.of(0, 1, 2, 2, 2, 2) },
      w: packCodes([14, 7, 0, 8, 8, 8], 4),
      weightLevels: Int8Array.of(-42, -36, -30, -24, -18, -12, -6, 0, 6, 12, 18, 24, 30, 36, 42),
      inputLevels: Uint8Array.of(0, 10, 20),
      scale: Float32Array.of(0.5, 1),
      bias: Float32Array.of(1, -1),
    },
  );
  assert.deepEqual(y, { shape: [2, 2], data: Float32Array.of(-419, 179, 1, 359) });
});

test('LcqQuantize counts the thresholds that each real reaches, and moves the channels last', () => {
  const data = Float32Array.of(-1, 0, 0.5, 0.49, 9, Number.NaN, Number.POSITIVE_INFINITY, 1);
  const { shape, data: codes } = lcqQuantizeReals(
    { shape: [1, 2, 2, 2], data },
    Float32Array.of(0, 0.5, 1),
  );
  assert.deepEqual(shape, [1, 2, 2, 2]);
  assert.deepEqual([...codes], [0, 3, 1, 0, 2, 3, 1, 3]);
});
