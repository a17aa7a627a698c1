import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { gridCode, quantizerGrid } from '../../src/lcq/grid.js';
import { levelCaps, symmetricLevels } from '../../src/lcq/levels.js';
import { lcqCode, lcqQuantizer } from '../../src/lcq/quantizer.js';
import { bits, seeded, theta } from './arbitraries.js';

const parameters = fc
  .record({
    alpha: fc.double({ min: 0.05, max: 20, noNaN: true }),
    theta,
    bits,
    signed: fc.boolean(),
  })
  .map((p) => ({ ...p, cap: levelCaps[p.bits][p.signed ? 'weights' : 'activations'] }));

describe('the grid', () => {
  test('has levels that ascend from 0 to the cap', () => {
    fc.assert(
      fc.property(parameters, (p) => {
        const { levels } = quantizerGrid(p);
        assert.equal(levels[0], 0);
        assert.equal(levels.at(-1), p.cap);
        levels.forEach((level, c) => {
          assert.ok(c === 0 || level >= levels[c - 1]);
        });
      }),
      seeded,
    );
  });

  test('has thresholds that count to the code of every cell', () => {
    fc.assert(
      fc.property(parameters, (p) => {
        const { codes, thresholds, levels, cells } = quantizerGrid(p);
        assert.equal(thresholds.length, levels.length - 1);
        for (let r = 0; r <= cells; r++) {
          assert.equal(codes[r], thresholds.filter((t) => r >= t).length);
        }
      }),
      { ...seeded, numRuns: 30 },
    );
  });

  test('gives a value the code of its cell', () => {
    fc.assert(
      fc.property(parameters, fc.double({ min: -1.3, max: 1.3, noNaN: true }), (p, v) => {
        const grid = quantizerGrid(p);
        const magnitude = p.signed ? Math.abs(v) : Math.max(0, v);
        const cell = magnitude * grid.cells;
        // Within binary32 of a border either cell may be meant.
        fc.pre(Math.abs(cell - Math.round(cell)) > 1e-3);
        const code = grid.codes[Math.min(grid.cells, Math.floor(cell))];
        assert.equal(gridCode(grid, v * p.alpha), p.signed && v < 0 ? 0 - code : code);
      }),
      seeded,
    );
  });

  test('puts the border of two cells above zero into the upper one and below zero into the one nearer to zero', () => {
    const p = { alpha: 4, theta: [0, 0], bits: 8, cap: 127, cells: 8 };
    const grid = quantizerGrid({ ...p, signed: true });
    assert.equal(gridCode(grid, 1), grid.codes[2]);
    assert.equal(gridCode(grid, -1), -grid.codes[1]);
    assert.equal(gridCode(grid, 4), 127);
    assert.equal(gridCode(grid, -4.001), -127);
  });

  test('agrees with the exact quantizer but next to a threshold', () => {
    fc.assert(
      fc.property(parameters, fc.double({ min: -1.2, max: 1.2, noNaN: true }), (p, v) => {
        const quantizer = lcqQuantizer(p);
        const step = p.alpha / 1024;
        const [below, here, above] = [-step, 0, step].map((d) =>
          lcqCode(quantizer, v * p.alpha + d),
        );
        const code = gridCode(quantizerGrid(p), v * p.alpha);
        if (below === above) assert.equal(code, here);
        else assert.ok((p.signed || v > 0 ? below : 0) <= code && code <= above);
      }),
      seeded,
    );
  });

  test('needs a cap and cells that are positive integers', () => {
    for (const bad of [{ cap: 0 }, { cap: 1.5 }, { cells: 0 }, { cells: Number.NaN }]) {
      assert.throws(
        () => quantizerGrid({ alpha: 1, theta: [0], bits: 2, signed: false, cap: 42, ...bad }),
        {
          code: 'INVALID_ARGUMENT',
          message: /must be a positive integer/,
        },
      );
    }
  });
});

test('levels of signed codes are antisymmetric', () => {
  fc.assert(
    fc.property(parameters, (p) => {
      fc.pre(p.signed);
      const levels = symmetricLevels(quantizerGrid(p).levels);
      assert.equal(levels.length, 2 ** p.bits - 1);
      levels.forEach((level, code) => {
        assert.equal(level + levels[levels.length - 1 - code], 0);
        assert.ok(Math.abs(level) <= p.cap);
      });
    }),
    seeded,
  );
});
