import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ort from 'onnxruntime-node';
import { lcqMaxPool, type MaxPoolAttributes, type NdArray } from '../../src/lcq/reference-ops.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { randomIntegers } from '../lcq/random-layers.js';
import { opModel } from '../quantization/op-model.js';
import { maxPoolCase } from './op-cases.js';
import { runOp } from './run-op.js';

type Geometry = MaxPoolAttributes & { readonly shape: readonly number[] };

const geometries: Readonly<Record<string, Geometry>> = {
  '3x3, stride 2, as in ResNet': {
    shape: [2, 12, 11, 64],
    kernelShape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  },
  '2x3, unequal strides and pads, odd channels': {
    shape: [1, 7, 9, 37],
    kernelShape: [2, 3],
    strides: [1, 3],
    pads: [1, 0, 0, 2],
  },
  '1x1': { shape: [1, 3, 2, 5], kernelShape: [1, 1], strides: [2, 1], pads: [0, 0, 0, 0] },
  'an image smaller than the kernel without its padding': {
    shape: [1, 2, 2, 3],
    kernelShape: [4, 3],
    strides: [1, 1],
    pads: [2, 1, 3, 1],
  },
};

function inputs(shape: readonly number[]): (NdArray<Uint8Array> | NdArray<Int16Array>)[] {
  const next = randomIntegers(shape[3]);
  const length = shape.reduce((a, b) => a * b);
  return [
    { shape, data: Uint8Array.from({ length }, () => next(0, 255)) },
    { shape, data: Int16Array.from({ length }, () => next(-32768, 32767)) },
  ];
}

test('the reference takes the greatest value of each window, none from the padding', () => {
  const x = { shape: [1, 2, 3, 1], data: Int16Array.of(-5, -4, -9, -6, -7, -8) };
  const attributes = { kernelShape: [2, 2], strides: [1, 2], pads: [0, 1, 0, 0] };
  assert.deepEqual(lcqMaxPool(attributes, x), {
    shape: [1, 1, 2, 1],
    data: Int16Array.of(-5, -4),
  });
});

describe('max pools equal the reference', () => {
  for (const [title, { shape, ...attributes }] of Object.entries(geometries)) {
    for (const x of inputs(shape)) {
      const { op, expected } = maxPoolCase(attributes, x);

      test(`${op.opType} of the add-on: ${title}`, async () => {
        for (const intraOpThreads of [1, 2]) {
          const { outputs } = await runOp(op, { intraOpThreads });
          assert.deepEqual(outputs.Y.data, expected.Y);
        }
      });

      test(`${op.opType} by its function body: ${title}`, async () => {
        const session = await ort.InferenceSession.create(encodeModel(opModel(op)));
        const type = x.data instanceof Uint8Array ? 'uint8' : 'int16';
        const results = await session.run({ [op.fed[0]]: new ort.Tensor(type, x.data, shape) });
        await session.release();
        assert.deepEqual(results.Y.data, expected.Y);
      });
    }
  }
});

describe('a max pool is refused', () => {
  const [codes] = inputs([1, 4, 4, 2]);
  const attributes = { kernelShape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] };
  const { op } = maxPoolCase(attributes, codes);

  test('with a pad as large as the kernel', async () => {
    const pads = { ints: [1, 3, 1, 1] };
    const bad = { ...op, attributes: { ...op.attributes, pads } };
    await assert.rejects(runOp(bad, {}), {
      code: 'INVALID_ARGUMENT',
      message: /LcqMaxPool node 'op': attribute 'pads' has the value 3/,
    });
  });

  test('on an image that is smaller than the kernel', async () => {
    const kernel = { kernel_shape: { ints: [7, 3] } };
    const bad = { ...op, attributes: { ...op.attributes, ...kernel } };
    await assert.rejects(runOp(bad, {}), {
      code: 'INVALID_ARGUMENT',
      message: /LcqMaxPool node 'op': its input has the shape \[1,4,4,2\]/,
    });
  });
});
