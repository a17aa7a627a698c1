import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { listKernels } from '../../src/runtime/lcq-session.js';
import {
  type ConvChoice,
  type ConvLayer,
  randomConvLayer,
  randomIntegers,
  randomOperands,
} from '../lcq/random-layers.js';
import { checkOn } from './check-on.js';
import {
  convAddCase,
  convCase,
  convStreamCase,
  gemmCase,
  globalAveragePoolCase,
} from './op-cases.js';

const sets = listKernels().filter(({ available }) => available);

const none = [0, 0, 0, 0] as const;

/** Shapes that reach every path: blocks and their remainders, strips and tiles, edges, groups, level tables. */
const layers: Readonly<Record<string, ConvChoice>> = {
  '2 bits, 1x1, one channel each': {
    weightBits: 2,
    kernel: [1, 1],
    pads: none,
    depth: 1,
    channelsPerGroup: 1,
  },
  '2 bits, 3x3, 16 channels as in CIFAR': { weightBits: 2, depth: 16, channelsPerGroup: 16 },
  '2 bits, 3x3, odd channels, several blocks': { weightBits: 2, depth: 37, channelsPerGroup: 71 },
  '3 bits, 1x1, stride 2': {
    weightBits: 3,
    kernel: [1, 1],
    pads: none,
    strides: [2, 2],
    depth: 65,
    channelsPerGroup: 33,
    inputLevelCount: 8,
  },
  '3 bits, 2x4, unequal strides and pads': {
    weightBits: 3,
    kernel: [2, 4],
    strides: [1, 3],
    pads: [0, 3, 2, 1],
    depth: 5,
    channelsPerGroup: 9,
    inputLevelCount: 8,
  },
  '4 bits, 5x5, several strips': {
    weightBits: 4,
    kernel: [5, 5],
    pads: [2, 2, 2, 2],
    size: [13, 17],
    depth: 3,
    channelsPerGroup: 18,
    inputLevelCount: 16,
    batch: 3,
  },
  '4 bits, dilations': {
    weightBits: 4,
    dilations: [2, 3],
    pads: [2, 3, 2, 3],
    depth: 6,
    channelsPerGroup: 17,
    inputLevelCount: 16,
  },
  '4 bits, pads wider than the kernel': {
    weightBits: 4,
    pads: [5, 4, 3, 6],
    depth: 4,
    channelsPerGroup: 8,
    inputLevelCount: 16,
  },
  '8 bits, 7x7 on raw pixels with zero point 128': {
    weightBits: 8,
    kernel: [7, 7],
    strides: [2, 2],
    pads: [3, 3, 3, 3],
    size: [15, 14],
    depth: 3,
    channelsPerGroup: 19,
    inputZeroPoint: 128,
  },
  '8 bits, 17 input levels': { weightBits: 8, inputLevelCount: 17, depth: 9, channelsPerGroup: 12 },
  '2 bits, 2 groups': { weightBits: 2, group: 2, depth: 11, channelsPerGroup: 21 },
  '4 bits, 3 groups, dilation, zero point': {
    weightBits: 4,
    group: 3,
    depth: 4,
    channelsPerGroup: 8,
    dilations: [2, 1],
    inputZeroPoint: 7,
  },
  '3 bits, depthwise': { weightBits: 3, group: 19, depth: 1, channelsPerGroup: 1 },
  '4 bits, depthwise, several blocks, zero point': {
    weightBits: 4,
    group: 149,
    depth: 1,
    channelsPerGroup: 1,
    size: [11, 19],
    inputLevelCount: 16,
    inputZeroPoint: 63,
  },
  '8 bits, depthwise, 64 channels, stride 2': {
    weightBits: 8,
    group: 64,
    depth: 1,
    channelsPerGroup: 1,
    strides: [2, 2],
    kernel: [5, 5],
    pads: [2, 2, 2, 2],
    size: [20, 9],
    inputLevelCount: 256,
    batch: 2,
  },
  '4 bits, depthwise, dilations, pads wider than the image': {
    weightBits: 4,
    group: 33,
    depth: 1,
    channelsPerGroup: 1,
    dilations: [2, 3],
    strides: [1, 3],
    pads: [7, 6, 9, 11],
    size: [5, 6],
    inputLevelCount: 16,
  },
  '8 bits, depthwise, all-maximal rows': {
    weightBits: 8,
    group: 70,
    depth: 1,
    channelsPerGroup: 1,
    inputLevelCount: 256,
    extreme: true,
  },
  '2 bits, all-maximal rows': {
    weightBits: 2,
    depth: 64,
    channelsPerGroup: 40,
    extreme: true,
  },
  '8 bits, all-maximal rows': {
    weightBits: 8,
    depth: 64,
    channelsPerGroup: 40,
    inputLevelCount: 256,
    extreme: true,
  },
  'ternary weights, levels up to 42, sums beyond 16 bits': {
    weightBits: 2,
    caps: [42, 1],
    kernel: [5, 5],
    pads: [2, 2, 2, 2],
    depth: 131,
    channelsPerGroup: 70,
    size: [9, 11],
  },
  'ternary weights, levels up to 21': {
    weightBits: 2,
    caps: [21, 1],
    depth: 64,
    channelsPerGroup: 64,
    size: [13, 12],
    strides: [2, 1],
  },
  'ternary weights, levels up to 85': {
    weightBits: 2,
    caps: [85, 1],
    depth: 17,
    channelsPerGroup: 129,
    kernel: [1, 1],
    pads: none,
  },
  '4 bits, levels up to 127': {
    weightBits: 4,
    caps: [127, 42],
    inputLevelCount: 16,
    depth: 37,
    channelsPerGroup: 29,
    size: [9, 11],
  },
  '3 bits, levels up to 127, all-maximal rows': {
    weightBits: 3,
    caps: [127, 14],
    inputLevelCount: 8,
    depth: 80,
    channelsPerGroup: 9,
    extreme: true,
  },
  'ternary weights, three levels': {
    weightBits: 2,
    caps: [30, 1],
    inputLevelCount: 3,
    depth: 5,
    channelsPerGroup: 40,
  },
  'ternary weights, all-maximal rows': {
    weightBits: 2,
    caps: [42, 1],
    depth: 160,
    channelsPerGroup: 64,
    extreme: true,
  },
  '2 bits, no ReLU': { weightBits: 2, depth: 8, channelsPerGroup: 24, outputMin: -32768 },
};

const shortcuts: Readonly<Record<string, ConvChoice>> = {
  identity: { weightBits: 2, depth: 5, channelsPerGroup: 67 },
  'all channels of a block but the last': {
    weightBits: 2,
    depth: 5,
    channelsPerGroup: 32,
    residualChannels: 31,
  },
  'stride 2, channels padded on both sides': {
    weightBits: 2,
    strides: [2, 2],
    depth: 16,
    channelsPerGroup: 32,
    residualStride: 2,
    residualOffset: 8,
    residualChannels: 16,
  },
  'stride 3, one channel of the second block, no ReLU': {
    weightBits: 4,
    depth: 3,
    channelsPerGroup: 50,
    residualStride: 3,
    residualOffset: 47,
    residualChannels: 1,
    outputMin: -32768,
  },
  'saturating sums': {
    weightBits: 8,
    depth: 30,
    channelsPerGroup: 20,
    extreme: true,
    outputMin: -32768,
  },
  'group convolution': { weightBits: 3, group: 2, depth: 4, channelsPerGroup: 10 },
};

for (const { name: set, kernels } of sets) {
  describe(`the ${set} kernels equal the TypeScript reference`, () => {
    const used = new Set<string>();

    Object.entries(layers).forEach(([title, choice], seed) => {
      test(`LcqConv and LcqConvStream: ${title}`, async () => {
        const layer = randomConvLayer(choice, randomIntegers(seed));
        used.add(await checkOn(set, convCase(layer)));
        await checkOn(set, convStreamCase(layer));
      });
    });

    Object.entries(shortcuts).forEach(([title, choice], seed) => {
      test(`LcqConvAdd: ${title}`, async () => {
        await checkOn(set, convAddCase(randomConvLayer(choice, randomIntegers(100 + seed))));
      });
    });

    test('random layers', async () => {
      const next = randomIntegers(2021);
      for (let i = 0; i < 40; i++) {
        const layer = randomLayer(next);
        await checkOn(set, convCase(layer));
        await checkOn(set, convAddCase(layer));
      }
    });

    for (const threads of [0, 3]) {
      test(`work split over ${threads || 'all'} threads`, async () => {
        const choice: ConvChoice = { weightBits: 2, depth: 9, channelsPerGroup: 10, batch: 2 };
        await checkOn(set, convAddCase(randomConvLayer(choice, randomIntegers(5))), threads);
      });
    }

    test('the product is rounded before the bias is added', async () => {
      // The sum is 15 wherever the weight is 1, and 15 * scale + bias is 2.5 or just above: fused, some would give 3.
      const next = randomIntegers(7);
      const { attributes, operands } = randomConvLayer(
        { weightBits: 2, kernel: [1, 1], pads: none, depth: 1, channelsPerGroup: 64 },
        next,
      );
      const scale = Float32Array.from({ length: 64 }, (_, m) => 0.1 + m / 10);
      const bias = scale.map((value) => 2.5 - Math.fround(15 * value));
      const inputLevels = new Uint8Array(4).fill(15);
      const weightLevels = Int8Array.of(-1, 0, 1);
      const layer = {
        attributes,
        operands: { ...operands, inputLevels, weightLevels, scale, bias },
      };
      await checkOn(set, convStreamCase(layer));
    });

    for (const weightBits of [2, 3, 4, 8] as const) {
      test(`LcqGemm: ${weightBits} bits`, async () => {
        const next = randomIntegers(weightBits);
        const [outputs, depth] = [40 + weightBits, 63 + weightBits];
        const operands = {
          ...randomOperands(
            { shape: [11, depth], weights: outputs * depth, weightBits },
            { inputLevelCount: 256 },
            next,
          ),
          scale: Float32Array.from({ length: outputs }, () => next(1, 1000) / 99_991),
          bias: Float32Array.from({ length: outputs }, () => next(-1000, 1000) / 313),
        };
        await checkOn(set, gemmCase({ weightShape: [outputs, depth], weightBits }, operands));
      });
    }

    for (const [height, width, scale] of [
      [8, 8, 0.01 / 64],
      [5, 7, 0.003],
      [1, 1, 0.5],
    ]) {
      test(`LcqGlobalAveragePool: ${height}x${width}`, async () => {
        const next = randomIntegers(height);
        const shape = [2, height, width, 35];
        const data = Int16Array.from({ length: 70 * height * width }, () => next(-300, 32767));
        await checkOn(set, globalAveragePoolCase(scale, { shape, data }));
      });
    }

    test('every convolution kernel of the set was used', () => {
      const convolutions = kernels.filter((kernel) => /^(conv|depthwise|lookup)_/.test(kernel));
      for (const kernel of convolutions) assert.ok(used.has(kernel), kernel);
    });
  });
}

function randomLayer(next: (low: number, high: number) => number): ConvLayer {
  const depthwise = next(0, 4) === 0;
  const ternary = next(0, 3) === 0;
  const small = ternary || next(0, 1) === 0;
  const weightBits = ternary ? 2 : ([2, 3, 4, 8] as const)[next(0, 3)];
  const group = depthwise ? next(1, 150) : next(0, 3) === 0 ? next(2, 3) : 1;
  const kernel = [next(1, 4), next(1, 4)] as const;
  const pads = [next(0, 3), next(0, 3), next(0, 3), next(0, 3)] as const;
  const channelsPerGroup = depthwise ? 1 : next(1, 40);
  const residualOffset = next(0, group * channelsPerGroup - 1);
  return randomConvLayer(
    {
      weightBits,
      group,
      kernel,
      pads,
      channelsPerGroup,
      residualOffset,
      size: [next(7, 11), next(7, 11)],
      depth: depthwise ? 1 : next(1, 40),
      strides: [next(1, 3), next(1, 3)],
      dilations: [next(1, 2), next(1, 2)],
      inputLevelCount: ternary ? 4 : [4, 8, 16, 256][next(0, 3)],
      inputZeroPoint: ternary ? 0 : next(0, 1) * next(1, small ? 127 : 255),
      ...(small && { caps: [next(1, 127), ternary ? 1 : 2 ** (weightBits - 1) - 1] }),
      residualStride: next(1, 3),
      residualChannels: next(1, group * channelsPerGroup - residualOffset),
      outputMin: next(0, 1) * -32768,
      extreme: next(0, 4) === 0,
    },
    next,
  );
}
