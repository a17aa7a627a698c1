import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topK } from '../../src/vision/top-k.js';

test('the best come first, equal ones in the order of their index', () => {
  const scores = [0.1, 0.5, 0.5, 0.3, 0.5];
  assert.deepEqual(
    topK(scores, 4).map(({ index }) => index),
    [1, 2, 4, 3],
  );
  assert.deepEqual(topK(scores, 1), [{ index: 1, score: 0.5 }]);
});

test('asking for more than there are gives all', () => {
  assert.equal(topK([1, 2], 5).length, 2);
});
