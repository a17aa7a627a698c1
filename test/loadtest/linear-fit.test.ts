import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitLine } from '../../loadtest/linear-fit.js';
import { seededRandom } from '../../loadtest/random.js';

const line = (slope: number, noise: () => number) =>
  Array.from({ length: 200 }, (_, x) => ({ x, y: 5 + slope * x + noise() }));

test('finds the slope of a line, and is sure of it', () => {
  const { slope, margin } = fitLine(line(0.25, () => 0));
  assert.ok(Math.abs(slope - 0.25) < 1e-12);
  assert.ok(margin < 1e-9);
});

test('the 95 % interval holds the true slope about 95 times in 100, for noise that wanders too', () => {
  for (const inertia of [0, 0.8]) {
    let held = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed);
      let at = 0;
      const wander = () => {
        at = inertia * at + random() - 0.5;
        return at;
      };
      const { slope, margin } = fitLine(line(0.25, wander));
      if (Math.abs(slope - 0.25) <= margin) held += 1;
    }
    assert.ok(held >= 180 && held <= 200, `${held} of 200 with inertia ${inertia}`);
  }
});
