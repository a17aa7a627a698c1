import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compander, compress, expand } from '../../src/lcq/compander.js';
import { levelCaps } from '../../src/lcq/levels.js';
import {
  type LcqQuantizer,
  lcqCode,
  lcqGradients,
  lcqQuantize,
  lcqQuantizer,
} from '../../src/lcq/quantizer.js';
import { quantizeUniform } from '../../src/lcq/uniform-quantizer.js';
import { bits, seeded, theta } from './arbitraries.js';

const alpha = fc.double({ min: 0.05, max: 20, noNaN: true });
const parameters = fc.record({ alpha, theta, bits, signed: fc.boolean() });
const real = fc.double({ min: -30, max: 30, noNaN: true });

describe('the LCQ quantizer', () => {
  test('gives alpha times a level, never further than the clip, and rises', () => {
    fc.assert(
      fc.property(parameters, real, real, (p, a, b) => {
        const quantizer = lcqQuantizer(p);
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((x) => lcqQuantize(quantizer, x));
        assert.ok(low <= high);
        assert.ok(high <= p.alpha && low >= (p.signed ? -p.alpha : 0));
        assert.ok(quantizer.levels.some((level) => p.alpha * level === Math.abs(low)));
      }),
      seeded,
    );
  });

  test('is odd where signed, and zero below zero where not', () => {
    fc.assert(
      fc.property(parameters, real, (p, x) => {
        const quantizer = lcqQuantizer(p);
        if (p.signed) assert.equal(lcqCode(quantizer, -x), 0 - lcqCode(quantizer, x));
        else assert.equal(lcqQuantize(quantizer, -Math.abs(x)), 0);
      }),
      seeded,
    );
  });

  test('leaves its own levels where they are', () => {
    fc.assert(
      fc.property(parameters, (p) => {
        const quantizer = lcqQuantizer(p);
        quantizer.levels.forEach((level, code) => {
          assert.equal(lcqCode(quantizer, p.alpha * level), code);
        });
      }),
      seeded,
    );
  });

  test('with a cap has levels that are multiples of 1/cap', () => {
    fc.assert(
      fc.property(parameters, (p) => {
        const cap = levelCaps[p.bits][p.signed ? 'weights' : 'activations'];
        const { levels } = lcqQuantizer({ ...p, cap });
        assert.equal(levels[0], 0);
        assert.equal(levels.at(-1), 1);
        for (const level of levels)
          assert.ok(Number.isInteger(Math.round(level * cap * 1e9) / 1e9));
      }),
      seeded,
    );
  });

  for (const bad of [
    { alpha: 0 },
    { alpha: Number.NaN },
    { alpha: Number.POSITIVE_INFINITY },
    { bits: 1 },
    { bits: 2.5 },
  ]) {
    test(`refuses ${JSON.stringify(bad)}`, () => {
      assert.throws(
        () => lcqQuantizer({ alpha: 1, theta: [0, 0], bits: 2, signed: true, ...bad }),
        {
          name: 'LcqError',
          code: 'INVALID_ARGUMENT',
        },
      );
    });
  }
});

describe('its gradients', () => {
  interface Point {
    readonly alpha: number;
    readonly theta: readonly number[];
    readonly x: number;
  }

  /** Q with the rounding replaced by the error it makes at one point: what a straight-through gradient differentiates. */
  function unrounded(quantizer: LcqQuantizer, at: Point): (point: Point) => number {
    const y = compress(quantizer.compander, Math.abs(at.x) / quantizer.alpha);
    const error = quantizeUniform(y, quantizer.steps) - y;
    return ({ alpha: a, theta: t, x }) => {
      const f = compander(t);
      return (
        Math.sign(x) * a * expand(f, Math.min(1, Math.max(0, compress(f, Math.abs(x) / a) + error)))
      );
    };
  }

  const inside = fc
    .record({
      alpha,
      theta: fc.array(fc.double({ min: -1.5, max: 1.5, noNaN: true }), {
        minLength: 2,
        maxLength: 8,
      }),
      bits,
      signed: fc.boolean(),
      v: fc.double({ min: 0.02, max: 0.98, noNaN: true }),
      negative: fc.boolean(),
    })
    .map(({ v, negative, ...p }) => ({ ...p, x: (p.signed && negative ? -1 : 1) * v * p.alpha }));

  /** True where a step of `h` crosses neither a kink of f nor one of f^-1. */
  function isSmooth(quantizer: LcqQuantizer, x: number, h: number): boolean {
    const f = quantizer.compander;
    const v = (Math.abs(x) / quantizer.alpha) * f.slopes.length;
    const y = quantizeUniform(compress(f, Math.abs(x) / quantizer.alpha), quantizer.steps);
    return (
      Math.abs(v - Math.round(v)) > h &&
      y < 1 &&
      f.offsets.every((offset) => Math.abs(offset - y) > h)
    );
  }

  test('agree with finite differences of the un-rounded path', () => {
    const h = 1e-6;
    let checked = 0;
    fc.assert(
      fc.property(inside, (p) => {
        const quantizer = lcqQuantizer(p);
        fc.pre(isSmooth(quantizer, p.x, 1e-4));
        checked++;
        const path = unrounded(quantizer, p);
        const slope = (move: (step: number) => Point) => (path(move(h)) - path(move(-h))) / (2 * h);
        const { dx, dAlpha, dTheta } = lcqGradients(quantizer, p.x, 'chain');
        const close = (actual: number, expected: number) =>
          assert.ok(
            Math.abs(actual - expected) < 1e-4 * (1 + p.alpha + Math.abs(expected)),
            `${actual} ${expected}`,
          );
        close(
          dx,
          slope((step) => ({ ...p, x: p.x + step })),
        );
        close(
          dAlpha,
          slope((step) => ({ ...p, alpha: p.alpha + step })),
        );
        dTheta.forEach((d, k) => {
          close(
            d,
            slope((step) => ({ ...p, theta: p.theta.map((t, i) => (i === k ? t + step : t)) })),
          );
        });
      }),
      seeded,
    );
    assert.ok(checked >= 100);
  });

  test('in the usual form let x through inside the clip', () => {
    fc.assert(
      fc.property(inside, (p) => {
        const quantizer = lcqQuantizer(p);
        const { dx, dAlpha } = lcqGradients(quantizer, p.x);
        assert.equal(dx, 1);
        assert.ok(Math.abs(dAlpha - (lcqQuantize(quantizer, p.x) - p.x) / p.alpha) < 1e-9);
      }),
      seeded,
    );
  });

  test('outside the clip reach alpha only', () => {
    const quantizer = lcqQuantizer({ alpha: 2, theta: [0, 1, 0], bits: 3, signed: true });
    for (const x of [2, 5, -2, -7]) {
      const { dx, dAlpha, dTheta } = lcqGradients(quantizer, x, 'chain');
      assert.deepEqual([dx, dAlpha, ...dTheta], [0, Math.sign(x), 0, 0, 0]);
    }
    const unsigned = lcqQuantizer({ alpha: 2, theta: [0, 1, 0], bits: 3, signed: false });
    const { dx, dAlpha } = lcqGradients(unsigned, -1);
    assert.deepEqual([dx, dAlpha], [0, 0]);
  });
});
