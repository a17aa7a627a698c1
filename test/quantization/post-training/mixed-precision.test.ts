import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WeightBits } from '../../../src/lcq/bit-packing.js';
import { allocateBits } from '../../../src/quantization/post-training/bit-allocation.js';
import { mixedPrecision } from '../../../src/quantization/post-training/mixed-precision.js';
import { planQuantization } from '../../../src/quantization/post-training/plan.js';
import { fitNetwork } from '../../../src/quantization/post-training/quantize-network.js';
import { smallImages, smallNetwork, smallSettings } from './small-network.js';

const layer = (weights: number, ...errors: number[]) => ({
  weights,
  errors: new Map(errors.map((error, i) => [[2, 3, 4, 8][i] as WeightBits, error])),
});

describe('allocating bits', () => {
  test('gives them where each takes away most error, within the budget', () => {
    const layers = [layer(100, 1, 0.4, 0.2, 0), layer(100, 0.1, 0.05, 0.02, 0)];
    assert.deepEqual(allocateBits(layers, 2), [2, 2]);
    assert.deepEqual(allocateBits(layers, 2.5), [3, 2]);
    assert.deepEqual(allocateBits(layers, 3), [4, 2]);
    assert.deepEqual(allocateBits(layers, 8), [8, 8]);
  });

  test('counts every weight of a layer', () => {
    const layers = [layer(1000, 1, 0.4, 0.2, 0), layer(10, 0.3, 0.1, 0.05, 0)];
    assert.deepEqual(allocateBits(layers, 2.1), [2, 8]);
  });

  test('passes over choices that a mix of others beats', () => {
    // 3 bits take away hardly anything here, 4 bits nearly all.
    const layers = [layer(100, 1, 0.99, 0.1, 0), layer(100, 0.5, 0.3, 0.2, 0.1)];
    assert.deepEqual(allocateBits(layers, 3), [4, 2]);
  });

  test('is as good as the best of all choices that cost no more', () => {
    const layers = [
      layer(30, 0.9, 0.35, 0.11, 0.01),
      layer(70, 0.5, 0.24, 0.08, 0),
      layer(20, 0.2, 0.21, 0.02, 0.01),
      layer(50, 1.4, 0.3, 0.2, 0.02),
    ];
    const total = (bits: readonly WeightBits[], of: (i: number) => number) =>
      bits.reduce((sum, _, i) => sum + of(i), 0);
    const costOf = (bits: readonly WeightBits[]) => total(bits, (i) => bits[i] * layers[i].weights);
    const errorOf = (bits: readonly WeightBits[]) =>
      total(bits, (i) => layers[i].errors.get(bits[i]) as number);
    let all: WeightBits[][] = [[]];
    for (const { errors } of layers) {
      all = all.flatMap((bits) => [...errors.keys()].map((b) => [...bits, b]));
    }
    // Budgets that a step of the hull uses up.
    for (const average of [2.5, 3, 3.5, 4, 5]) {
      const chosen = allocateBits(layers, average);
      assert.ok(costOf(chosen) <= average * 170);
      const rivals = all.filter((bits) => costOf(bits) <= costOf(chosen));
      const best = Math.min(...rivals.map(errorOf));
      assert.ok(errorOf(chosen) <= best + 1e-12, `${average}: ${chosen}`);
    }
  });

  test('refuses a budget below the fewest bits', () => {
    const refused = { code: 'INVALID_ARGUMENT', message: /less than 2 bits/ };
    assert.throws(() => allocateBits([layer(100, 1, 0.4, 0.2, 0)], 1.9), refused);
  });
});

describe('a network of mixed precision', () => {
  const full = smallNetwork(1);
  const images = smallImages(32, 2);
  const settings = smallSettings(4, 8);

  test('keeps its budget and its border, and sensitive layers get more bits', async () => {
    const uniform = planQuantization(full, settings);
    const plan = await mixedPrecision(full, uniform, images, settings, 3, () => {});
    const layers = [...plan.layers].map(([{ name, inputs }, { weightBits, border }]) => {
      const { shape = [] } = full.initializers.get(inputs[1]) ?? {};
      return { name, weightBits, border, weights: shape.reduce((a, b) => a * b, 1) };
    });
    const border = layers.filter((l) => l.border);
    assert.deepEqual(
      border.map(({ name, weightBits }) => [name, weightBits]),
      [
        ['stem', 8],
        ['logits', 8],
      ],
    );
    const inner = layers.filter((l) => !l.border);
    const weights = inner.reduce((sum, l) => sum + l.weights, 0);
    const bits = inner.reduce((sum, l) => sum + l.weights * l.weightBits, 0);
    assert.ok(bits <= 3 * weights);
    assert.ok(bits > 2.8 * weights);
    assert.ok(new Set(inner.map(({ weightBits }) => weightBits)).size > 1);
  });

  test('is fitted layer by layer with the bits that were chosen', async () => {
    const stages = new Map<string, [number, number]>();
    const { layers } = await fitNetwork(
      full,
      images,
      { ...settings, averageWeightBits: 3 },
      (stage, done, total) => stages.set(stage, [done, total]),
    );
    assert.deepEqual([...stages.keys()], ['measure sensitivity', 'fit quantizers']);
    for (const [done, total] of stages.values()) assert.equal(done, total);
    assert.ok(new Set(layers.map(({ weightBits }) => weightBits)).size > 2);
  });
});
