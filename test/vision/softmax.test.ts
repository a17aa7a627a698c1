import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { softmax } from '../../src/vision/softmax.js';

const total = (scores: Float32Array) => scores.reduce((sum, score) => sum + score, 0);

test('softmax of known vectors', () => {
  assert.deepEqual([...softmax([3, 3])], [0.5, 0.5]);
  assert.deepEqual([...softmax([0, -Infinity])], [1, 0]);
  assert.deepEqual([...softmax([1000, 1000, -1000])], [0.5, 0.5, 0]);
  const [a, b] = softmax([Math.log(3), 0]);
  assert.ok(Math.abs(a - 0.75) < 1e-7 && Math.abs(b - 0.25) < 1e-7);
});

test('property: scores keep the order of the logits and add up to at most 1, and hardly less', () => {
  const logits = fc.array(fc.float({ min: -80, max: 80, noNaN: true }), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(logits, (values) => {
      const scores = softmax(values);
      assert.ok(total(scores) <= 1, `${total(scores)}`);
      assert.ok(total(scores) > 1 - 1e-4);
      values.forEach((value, i) => {
        if (i > 0 && value > values[i - 1]) assert.ok(scores[i] >= scores[i - 1]);
        assert.equal(scores[i], Math.fround(scores[i]));
      });
    }),
    { seed: 20251, numRuns: 300 },
  );
});
