import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  normalizationGradient,
  normalizeWeights,
  VARIANCE_FLOOR,
} from '../../src/lcq/weight-normalization.js';
import { seeded } from './arbitraries.js';

const weights = fc
  .array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 3, maxLength: 20 })
  .filter((w) => Math.max(...w) - Math.min(...w) > 0.1);

describe('limited weight normalization', () => {
  test('gives mean 0 and standard deviation 1, and can be undone', () => {
    fc.assert(
      fc.property(weights, (w) => {
        const { values, mean, std } = normalizeWeights(w);
        const sum = values.reduce((a, b) => a + b, 0);
        const squares = values.reduce((a, b) => a + b * b, 0);
        assert.ok(Math.abs(sum) < 1e-9 * w.length);
        assert.ok(Math.abs(squares / w.length - 1) < 1e-4);
        values.forEach((value, i) => {
          assert.ok(Math.abs(value * std + mean - w[i]) < 1e-9);
        });
      }),
      seeded,
    );
  });

  test('has the gradient that finite differences show', () => {
    // A loss that sees every normalized weight and the standard deviation.
    const loss = (w: readonly number[]) => {
      const { values, std } = normalizeWeights(w);
      return std * values.reduce((total, value, i) => total + Math.sin(value + i), 0);
    };
    fc.assert(
      fc.property(weights, (w) => {
        const normalized = normalizeWeights(w);
        const { values, std } = normalized;
        const dValues = values.map((value, i) => std * Math.cos(value + i));
        const gradient = normalizationGradient(normalized, dValues, loss(w) / std);
        const h = 1e-6;
        gradient.forEach((g, i) => {
          const moved = (step: number) =>
            loss(w.map((value, j) => (i === j ? value + step : value)));
          assert.ok(Math.abs(g - (moved(h) - moved(-h)) / (2 * h)) < 1e-5);
        });
      }),
      seeded,
    );
  });

  test('sends weights without spread to zero', () => {
    const { values, std } = normalizeWeights([1, 1, 1]);
    assert.deepEqual([...values], [0, 0, 0]);
    assert.equal(std, Math.sqrt(VARIANCE_FLOOR));
  });

  test('refuses weights that are not finite', () => {
    for (const bad of [[], [0, Number.NaN], [0, Number.POSITIVE_INFINITY]]) {
      assert.throws(() => normalizeWeights(bad), {
        code: 'INVALID_ARGUMENT',
        message: /standard deviation/,
      });
    }
  });
});
