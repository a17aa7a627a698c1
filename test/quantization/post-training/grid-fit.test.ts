import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { levelCaps } from '../../../src/lcq/levels.js';
import { lcqQuantize, lcqQuantizer } from '../../../src/lcq/quantizer.js';
import { fitQuantizer, fitRows } from '../../../src/quantization/post-training/grid-fit.js';
import { Random } from '../../../src/training/random.js';

const random = new Random(4);
const normal = Float32Array.from({ length: 20_000 }, () => random.normal());
const settings = { bits: 4, signed: true, cap: 42, intervals: 16, companding: true };

describe('fitting a quantizer', () => {
  test('finds the best uniform steps for a normal distribution that Max tabulated in 1960', () => {
    for (const [bits, clip] of [
      [3, 3 * 0.6508],
      [4, 7 * 0.3534],
    ]) {
      const fit = fitQuantizer(normal, { ...settings, bits, cap: 4200, companding: false });
      assert.ok(Math.abs(fit.alpha - clip) < 0.12, `${bits} bits: ${fit.alpha}`);
      assert.ok(fit.theta.every((t) => t === 0));
    }
  });

  test('reports the error that the quantizer makes', () => {
    const fit = fitQuantizer(normal, settings);
    const quantizer = lcqQuantizer({ ...settings, ...fit });
    let [error, energy] = [0, 0];
    for (const x of normal) {
      error += (lcqQuantize(quantizer, x) - x) ** 2;
      energy += x * x;
    }
    assert.ok(Math.abs(error / energy / fit.error - 1) < 0.02, `${error / energy}, ${fit.error}`);
  });

  test('companding beats uniform steps, most where values are uneven', () => {
    const gain = (sample: Float32Array) => {
      const uniform = fitQuantizer(sample, { ...settings, companding: false });
      return fitQuantizer(sample, settings).error / uniform.error;
    };
    const peaked = normal.map((v) => v * Math.abs(v));
    assert.ok(gain(normal) < 0.95);
    assert.ok(gain(peaked) < 0.8 * gain(normal));
  });

  test('takes the positive part for an unsigned quantizer', () => {
    const cap = levelCaps[4].activations;
    const unsigned = { ...settings, signed: false, cap };
    const positive = fitQuantizer(
      normal.filter((v) => v > 0),
      unsigned,
    );
    assert.deepEqual(fitQuantizer(normal, unsigned), positive);
  });

  test('a sample of zeros gets any clip and no error', () => {
    assert.deepEqual(fitQuantizer(new Float32Array(9), settings), {
      alpha: 1,
      theta: new Float32Array(16),
      error: 0,
    });
  });

  test('rows of different spread get clips of their own', () => {
    const rows = [normal.subarray(0, 500), normal.subarray(500, 1000).map((v) => 100 * v)];
    const { clips, error } = fitRows(rows, settings);
    assert.ok(clips[1] > 50 * clips[0]);
    assert.ok(error < 0.02);
  });
});
