import { describe, test } from 'node:test';
import { listKernels } from '../../src/runtime/lcq-session.js';
import { type ConvLayer, randomConvLayer, randomIntegers } from '../lcq/random-layers.js';
import { checkOn } from './check-on.js';
import { convAddCase, convCase, convStreamCase } from './op-cases.js';

const ALWAYS = -(2 ** 31);
const NEVER = 2 ** 31 - 1;

for (const { name: set } of listKernels().filter(({ available }) => available)) {
  describe(`thresholds on ${set}`, () => {
    test('thresholds that always or never hold', async () => {
      const { attributes, operands } = randomConvLayer({ weightBits: 2 }, randomIntegers(6));
      const [outputs] = attributes.weightShape;
      const limits = [-(2 ** 31), -32769, -32768, -32767, 0, 32767, 32768, 2 ** 31 - 1];
      const layer: ConvLayer = {
        attributes: { ...attributes, outputMin: -32768 },
        operands: {
          ...operands,
          thresholds: Int32Array.from({ length: outputs * 8 }, (_, i) => limits[i % 8]),
          scale: operands.scale.map(() => 1000),
          streamThresholds: Int32Array.from(limits),
        },
      };
      await checkOn(set, convCase(layer));
      await checkOn(set, convAddCase(layer));
    });

    test('255 thresholds make an 8-bit code', async () => {
      const { attributes, operands } = randomConvLayer({ weightBits: 4 }, randomIntegers(8));
      const [outputs] = attributes.weightShape;
      const layer: ConvLayer = {
        attributes,
        operands: {
          ...operands,
          thresholds: Int32Array.from({ length: outputs * 255 }, (_, i) => (i % 255) * 40 - 5000),
          streamThresholds: Int32Array.from({ length: 255 }, (_, i) => i * 128),
        },
      };
      await checkOn(set, convCase(layer));
      await checkOn(set, convStreamCase(layer));
    });

    for (const [first, distance, count] of [
      [-64, 1, 255],
      [64, 128, 255],
      [-32640, 256, 255],
      [-32767, 256, 254],
      [32767 - 15 * 2048, 2048, 16],
      [-1000, 2048, 16],
      [3, 96, 255],
    ]) {
      test(`${count} thresholds from ${first} on, ${distance} apart`, async () => {
        const choice = { weightBits: 4, depth: 9, channelsPerGroup: 37 } as const;
        const { attributes, operands } = randomConvLayer(choice, randomIntegers(count));
        const layer: ConvLayer = {
          attributes: { ...attributes, outputMin: -32768 },
          operands: {
            ...operands,
            scale: operands.scale.map((value, m) => value * 4 ** (m % 6)),
            streamThresholds: Int32Array.from({ length: count }, (_, t) => first + distance * t),
          },
        };
        await checkOn(set, convStreamCase(layer));
      });
    }

    for (const count of [1, 3, 7, 8, 15]) {
      test(`${count} thresholds that 16 bits hold between them, and just do not`, async () => {
        const next = randomIntegers(count);
        const choice = { weightBits: 8, depth: 13, channelsPerGroup: 70 } as const;
        const { attributes, operands } = randomConvLayer(choice, next);
        const [outputs] = attributes.weightShape;
        // The outputs of a block have the same spread, those of the next another.
        const rows = Array.from({ length: outputs }, (_, m) => {
          const spread = [65533, 65534, 900, 300000][(m >> 4) & 3];
          const first = next(-80000, 20000);
          const row = [
            first,
            first + spread,
            ...Array.from({ length: 13 }, () => first + next(0, spread)),
          ];
          row.splice(count);
          if (m % 5 === 0) row[0] = ALWAYS;
          if (m % 7 === 0) row[count - 1] = NEVER;
          return row.sort((a, b) => a - b);
        });
        const layer: ConvLayer = {
          attributes,
          operands: { ...operands, thresholds: Int32Array.from(rows.flat()) },
        };
        await checkOn(set, convCase(layer));
      });
    }
  });
}
