import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivals, durationOf } from '../../loadtest/arrivals.js';
import { seededRandom } from '../../loadtest/random.js';

const times = (seed: number, seconds: number, rate: number) => [
  ...arrivals([{ seconds, rate }], seededRandom(seed)),
];

test('gaps between arrivals are exponential: their mean is 1/rate, and so is their deviation', () => {
  const all = times(1, 1000, 50);
  // A Poisson count deviates by its root.
  assert.ok(Math.abs(all.length - 50_000) < 4 * Math.sqrt(50_000), String(all.length));
  const gaps = all.slice(1).map((time, i) => time - all[i]);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  assert.ok(Math.abs(mean - 20) < 0.4, String(mean));
  assert.ok(Math.abs(Math.sqrt(variance) / mean - 1) < 0.03, String(Math.sqrt(variance)));
});

test('a seed gives the same arrivals each time, and another seed others', () => {
  assert.deepEqual(times(7, 5, 100), times(7, 5, 100));
  assert.notDeepEqual(times(7, 5, 100), times(8, 5, 100));
});

test('each phase has its own rate and its own time', () => {
  const phases = [
    { seconds: 100, rate: 10 },
    { seconds: 100, rate: 100 },
  ];
  const all = [...arrivals(phases, seededRandom(3))];
  const first = all.filter((time) => time < 100_000).length;
  assert.ok(Math.abs(first - 1000) < 4 * Math.sqrt(1000), String(first));
  assert.ok(Math.abs(all.length - first - 10_000) < 4 * Math.sqrt(10_000), String(all.length));
  assert.deepEqual(
    all,
    [...all].sort((a, b) => a - b),
  );
  assert.ok(all[all.length - 1] < durationOf(phases));
});
