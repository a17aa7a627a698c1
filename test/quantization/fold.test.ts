import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUniform, quantizerGrid, uniformCells } from '../../src/lcq/grid.js';
import { uniformSteps } from '../../src/lcq/uniform-quantizer.js';
import { realThresholds, shiftedUnit, streamThresholds } from '../../src/quantization/fold.js';

const EVERY_VALUE = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

for (const [signed, distance] of [
  [false, 128],
  [true, 256],
] as const) {
  const steps = uniformSteps(8, signed);
  const parameters = { alpha: 0.7310585, theta: new Float32Array(16), bits: 8, signed, cap: 127 };

  test(`8 uniform bits, ${signed ? 'signed' : 'unsigned'}: thresholds are ${distance} apart`, () => {
    const grid = quantizerGrid({ ...parameters, cells: uniformCells(steps) });
    assert.ok(isUniform(grid));
    const thresholds = streamThresholds(
      realThresholds(grid, EVERY_VALUE),
      shiftedUnit(grid) as number,
    );
    const first = signed ? -(steps - 0.5) * distance : distance / 2;
    assert.equal(thresholds.length, signed ? 2 * steps : steps);
    const expected = thresholds.map((_, i) => first + i * distance);
    assert.deepEqual(thresholds, expected);
  });

  test(`a grid whose borders are elsewhere has no such unit, ${signed ? 'signed' : 'unsigned'}`, () => {
    const grid = quantizerGrid({ ...parameters, cells: 1024 });
    assert.equal(isUniform(grid), false);
    assert.equal(shiftedUnit(grid), undefined);
  });
}
