import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunTimes } from '../../src/batching/run-times.js';

test('before any run every size is as good', () => {
  assert.equal(new RunTimes().sizeWithin(100), Infinity);
});

test('a size is what recent runs fit into the time, at least one', () => {
  const times = new RunTimes();
  times.observe(4, 40);
  assert.deepEqual([times.sizeWithin(100), times.sizeWithin(99), times.sizeWithin(1)], [10, 9, 1]);
  for (let i = 0; i < 100; i++) times.observe(2, 50);
  assert.equal(times.sizeWithin(100), 4);
});
