import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compander, compress, expand } from '../../src/lcq/compander.js';
import { companderLevels, companderThresholds, countReached } from '../../src/lcq/levels.js';
import { uniformCode } from '../../src/lcq/uniform-quantizer.js';
import { seeded, steps, theta, unit } from './arbitraries.js';

const near = (a: number, b: number, tolerance: number) => Math.abs(a - b) <= tolerance;

describe('the compander', () => {
  test('is the identity where all theta are equal', () => {
    const f = compander(new Array(16).fill(0.3));
    for (let i = 0; i <= 64; i++) assert.ok(near(compress(f, i / 64), i / 64, 1e-12));
  });

  test('keeps the ends and rises in between', () => {
    fc.assert(
      fc.property(theta, unit, unit, (parameters, a, b) => {
        const f = compander(parameters);
        assert.equal(compress(f, 0), 0);
        assert.equal(compress(f, 1), 1);
        const [low, high] = a < b ? [a, b] : [b, a];
        assert.ok(compress(f, low) <= compress(f, high));
        if (high - low > 1e-9) assert.ok(compress(f, low) < compress(f, high));
      }),
      seeded,
    );
  });

  test('is undone by expand, and undoes it', () => {
    fc.assert(
      fc.property(theta, unit, (parameters, v) => {
        const f = compander(parameters);
        assert.ok(near(expand(f, compress(f, v)), v, 1e-9));
        assert.ok(near(compress(f, expand(f, v)), v, 1e-9));
      }),
      seeded,
    );
  });

  test('has slopes that give back the area of one', () => {
    fc.assert(
      fc.property(theta, (parameters) => {
        const { slopes } = compander(parameters);
        assert.ok(slopes.every((slope) => slope > 0));
        assert.ok(near(slopes.reduce((a, b) => a + b) / slopes.length, 1, 1e-12));
      }),
      seeded,
    );
  });

  for (const bad of [
    [],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 0],
    [Number.NEGATIVE_INFINITY, 0],
    [0, 800],
  ]) {
    test(`refuses theta [${bad}]`, () => {
      assert.throws(() => compander(bad), { name: 'LcqError', code: 'INVALID_ARGUMENT' });
    });
  }
});

describe('levels and thresholds', () => {
  test('the code is the count of thresholds reached', () => {
    fc.assert(
      fc.property(theta, steps, unit, (parameters, s, v) => {
        const f = compander(parameters);
        const y = s * compress(f, v) + 0.5;
        // On a tie the two forms may round to either side.
        fc.pre(Math.abs(y - Math.round(y)) > 1e-9);
        assert.equal(countReached(companderThresholds(f, s), v), uniformCode(compress(f, v), s));
      }),
      seeded,
    );
  });

  test('every level has its own code, and lies between its thresholds', () => {
    fc.assert(
      fc.property(theta, steps, (parameters, s) => {
        const f = compander(parameters);
        const thresholds = companderThresholds(f, s);
        companderLevels(f, s).forEach((level, code) => {
          assert.equal(countReached(thresholds, level), code);
        });
      }),
      seeded,
    );
  });

  test('a value on a threshold takes the higher code', () => {
    assert.equal(countReached([1, 2, 2, 3], 2), 3);
    assert.equal(countReached([1, 2, 2, 3], 0.5), 0);
    assert.equal(countReached([], 7), 0);
  });
});
