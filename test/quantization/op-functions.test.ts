import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ort from 'onnxruntime-node';
import {
  lcqConv,
  lcqConvAdd,
  lcqConvStream,
  lcqGemm,
  lcqGlobalAveragePool,
  lcqQuantizeReals,
  type QuantizedOperands,
} from '../../src/lcq/reference-ops.js';
import { elementsOf, tensorOf } from '../../src/onnx/elements.js';
import type { NamedType, TensorData } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import {
  type ConvChoice,
  type ConvLayer,
  randomConvLayer,
  randomIntegers,
  randomOperands,
} from '../lcq/random-layers.js';
import { convNodeAttributes, type OpUnderTest, opModel } from './op-model.js';

/** Runs one op through its function body on the stock runtime. */
async function runFunction(op: OpUnderTest): Promise<Record<string, ort.Tensor['data']>> {
  const session = await ort.InferenceSession.create(encodeModel(opModel(op)), {
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'all',
  });
  const feeds = op.fed.map((name) => [name, ortTensor(op.inputs[name])]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

function ortTensor(tensor: TensorData): ort.Tensor {
  const { dtype, shape, data } = tensor;
  if (dtype === 'float32') return new ort.Tensor('float32', elementsOf(tensor, 'float32'), shape);
  if (dtype === 'uint8') return new ort.Tensor('uint8', data, shape);
  return new ort.Tensor(
    'int16',
    new Int16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length / 2),
    shape,
  );
}

function operandTensors(operands: QuantizedOperands): Record<string, TensorData> {
  const { x, w, weightLevels, inputLevels } = operands;
  return {
    X: tensorOf('uint8', x.shape, x.data),
    W: tensorOf('uint8', [w.length], w),
    weight_levels: tensorOf('int8', [weightLevels.length], weightLevels),
    input_levels: tensorOf('uint8', [inputLevels.length], inputLevels),
  };
}

function affineTensors({
  scale,
  bias,
}: {
  scale: Float32Array;
  bias: Float32Array;
}): Record<string, TensorData> {
  return {
    scale: tensorOf('float32', [scale.length], scale),
    bias: tensorOf('float32', [bias.length], bias),
  };
}

const named = (
  name: string,
  dtype: 'uint8' | 'int16' | 'float32',
  shape: readonly number[],
): NamedType => ({
  name,
  type: { dtype, shape },
});

async function checkConv(layer: ConvLayer): Promise<void> {
  const { attributes, operands } = layer;
  const expected = lcqConv(attributes, operands);
  const { thresholds } = operands;
  const channels = attributes.weightShape[0];
  const actual = await runFunction({
    opType: 'LcqConv',
    inputs: {
      ...operandTensors(operands),
      thresholds: tensorOf('int32', [channels, thresholds.length / channels], thresholds),
    },
    fed: ['X'],
    outputs: [named('Y', 'uint8', expected.shape)],
    attributes: convNodeAttributes(attributes),
  });
  assert.deepEqual(actual.Y, expected.data);
}

async function checkStream(
  layer: ConvLayer,
  opType: 'LcqConvStream' | 'LcqConvAdd',
): Promise<void> {
  const { attributes, operands } = layer;
  const adds = opType === 'LcqConvAdd';
  const expected = (adds ? lcqConvAdd : lcqConvStream)(attributes, operands);
  const { r, streamThresholds } = operands;
  const residual = {
    residual_stride: { int: attributes.residualStride },
    residual_offset: { int: attributes.residualOffset },
  };
  const actual = await runFunction({
    opType,
    inputs: {
      ...operandTensors(operands),
      ...affineTensors(operands),
      ...(adds && { R: tensorOf('int16', r.shape, r.data) }),
      stream_thresholds: tensorOf('int32', [streamThresholds.length], streamThresholds),
    },
    fed: adds ? ['X', 'R'] : ['X'],
    outputs: [named('S', 'int16', expected.s.shape), named('Y', 'uint8', expected.y.shape)],
    attributes: {
      ...convNodeAttributes(attributes),
      output_min: { int: attributes.outputMin },
      ...(adds && residual),
    },
  });
  assert.deepEqual(actual.S, expected.s.data);
  assert.deepEqual(actual.Y, expected.y.data);
}

const convolutions: Record<string, ConvChoice> = {
  '2 bits, 3x3, odd channels': { weightBits: 2, depth: 7, channelsPerGroup: 5 },
  '3 bits, 1x1, stride 2': {
    weightBits: 3,
    kernel: [1, 1],
    pads: [0, 0, 0, 0],
    strides: [2, 2],
    inputLevelCount: 8,
  },
  '4 bits, 5x5, unequal pads': {
    weightBits: 4,
    kernel: [5, 5],
    pads: [2, 1, 0, 3],
    inputLevelCount: 16,
  },
  '8 bits, raw pixels with zero point 128': { weightBits: 8, depth: 3, inputZeroPoint: 128 },
  '2 bits, dilation 2': { weightBits: 2, dilations: [2, 2], pads: [2, 2, 2, 2] },
  '4 bits, 2 groups, unequal strides': { weightBits: 4, group: 2, depth: 3, strides: [1, 2] },
  '3 bits, depthwise': { weightBits: 3, group: 5, depth: 1, channelsPerGroup: 1 },
  '8 bits, greatest magnitudes': { weightBits: 8, depth: 64, inputLevelCount: 256, extreme: true },
  '2 bits, greatest magnitudes, channels of a block': {
    weightBits: 2,
    depth: 64,
    channelsPerGroup: 32,
    extreme: true,
  },
};

describe('the function bodies on stock onnxruntime equal the reference', () => {
  Object.entries(convolutions).forEach(([title, choice], seed) => {
    test(`LcqConv and LcqConvStream: ${title}`, async () => {
      const layer = randomConvLayer(
        { outputMin: seed % 2 === 0 ? 0 : -32768, ...choice },
        randomIntegers(seed),
      );
      await checkConv(layer);
      await checkStream(layer, 'LcqConvStream');
    });
  });

  test('LcqConvStream rounds the product before the bias is added', () => {
    // All inputs are 15 and all weights -1, 0 or 1. Where the sum is 15, scale and bias give 2.5, which rounds to 2;
    // at some of these scales the exact product lies above, so that a fused multiply-add would give 3.
    const { attributes, operands } = randomConvLayer(
      { weightBits: 2, kernel: [1, 1], pads: [0, 0, 0, 0], depth: 1, channelsPerGroup: 11 },
      randomIntegers(7),
    );
    const scale = Float32Array.from({ length: 11 }, (_, m) => 0.1 + m / 10);
    const bias = scale.map((value) => 2.5 - Math.fround(15 * value));
    const levels = {
      inputLevels: new Uint8Array(4).fill(15),
      weightLevels: Int8Array.of(-1, 0, 1),
    };
    return checkStream(
      { attributes, operands: { ...operands, ...levels, scale, bias } },
      'LcqConvStream',
    );
  });

  const residuals: Record<string, ConvChoice> = {
    'identity shortcut': { weightBits: 2, channelsPerGroup: 6 },
    'stride 2, channels padded on both sides': {
      weightBits: 2,
      strides: [2, 2],
      channelsPerGroup: 8,
      residualStride: 2,
      residualOffset: 2,
      residualChannels: 4,
    },
    'stride 2, one-sided, no ReLU': {
      weightBits: 4,
      channelsPerGroup: 7,
      residualStride: 2,
      residualOffset: 3,
      residualChannels: 1,
      outputMin: -32768,
    },
    'saturating sums': { weightBits: 8, extreme: true, outputMin: -32768 },
  };
  Object.entries(residuals).forEach(([title, choice], seed) => {
    test(`LcqConvAdd: ${title}`, () =>
      checkStream(randomConvLayer(choice, randomIntegers(100 + seed)), 'LcqConvAdd'));
  });

  for (const [height, width, scale] of [
    [8, 8, 0.01 / 64],
    [5, 7, 0.003],
    [1, 1, 1],
  ]) {
    test(`LcqGlobalAveragePool: ${height}x${width}`, async () => {
      const next = randomIntegers(height);
      const shape = [2, height, width, 11];
      const data = Int16Array.from({ length: 2 * height * width * 11 }, () => next(-300, 32767));
      const expected = lcqGlobalAveragePool({ scale }, { shape, data });
      const actual = await runFunction({
        opType: 'LcqGlobalAveragePool',
        inputs: { S: tensorOf('int16', shape, data) },
        fed: ['S'],
        outputs: [named('Y', 'uint8', expected.shape)],
        attributes: { scale: { float: scale } },
      });
      assert.deepEqual(actual.Y, expected.data);
    });
  }

  for (const count of [1, 14, 254, 255]) {
    test(`LcqQuantize: ${count} thresholds`, async () => {
      const next = randomIntegers(count);
      const shape = [2, 3, 5, 7];
      const thresholds = Float32Array.from({ length: count }, () => next(-500, 500) / 7).sort();
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const data = Float32Array.from({ length: 210 }, (_, i) => {
        if (i < special.length) return special[i];
        return i % 2 ? thresholds[next(0, count - 1)] : next(-600, 600) / 7;
      });
      const expected = lcqQuantizeReals({ shape, data }, thresholds);
      const actual = await runFunction({
        opType: 'LcqQuantize',
        inputs: {
          X: tensorOf('float32', shape, data),
          thresholds: tensorOf('float32', [count], thresholds),
        },
        fed: ['X'],
        outputs: [named('Y', 'uint8', expected.shape)],
        attributes: {},
      });
      assert.deepEqual(actual.Y, expected.data);
    });
  }

  for (const weightBits of [2, 3, 4, 8] as const) {
    test(`LcqGemm: ${weightBits} bits`, async () => {
      const next = randomIntegers(weightBits);
      const weightShape = [10, 63 + weightBits];
      const operands = {
        ...randomOperands(
          { shape: [3, weightShape[1]], weights: weightShape[0] * weightShape[1], weightBits },
          { inputLevelCount: 256 },
          next,
        ),
        scale: Float32Array.from({ length: 10 }, () => next(1, 1000) / 99_991),
        bias: Float32Array.from({ length: 10 }, () => next(-1000, 1000) / 313),
      };
      const expected = lcqGemm({ weightShape, weightBits }, operands);
      const actual = await runFunction({
        opType: 'LcqGemm',
        inputs: { ...operandTensors(operands), ...affineTensors(operands) },
        fed: ['X'],
        outputs: [named('Y', 'float32', expected.shape)],
        attributes: { weight_shape: { ints: weightShape }, weight_bits: { int: weightBits } },
      });
      assert.deepEqual(actual.Y, expected.data);
    });
  }
});
