import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TopCandidates } from '../../src/vision/top-candidates.js';

test('property: it keeps what sorting everything would put first, ties in order', () => {
  const scores = fc.array(fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constant(Number.NaN)), {
    maxLength: 120,
  });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 12 }), fc.nat(4), (all, capacity, threshold) => {
      const candidates = new TopCandidates(capacity, threshold);
      for (const [cell, score] of all.entries()) candidates.offer(score, cell, cell % 3);
      const expected = all
        .map((score, cell) => ({ score, cell, index: cell % 3 }))
        .filter(({ score }) => score >= threshold)
        .sort((a, b) => b.score - a.score)
        .slice(0, capacity);
      assert.deepEqual(candidates.ranked(), expected);
    }),
    { seed: 12, numRuns: 300 },
  );
});
