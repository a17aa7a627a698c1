import assert from 'node:assert/strict';
import { test } from 'node:test';
import { searchRate } from '../../loadtest/rate-search.js';

/** A server that keeps up to `limit`, and a generator that does to `generatorLimit`. */
const upTo =
  (limit: number, generatorLimit = Infinity) =>
  async (rate: number) => ({
    rate,
    goodShare: rate <= limit ? 1 : 0.98,
    p99: 1,
    isValid: rate <= generatorLimit,
  });

test('finds the highest rate that holds, to 5 %', async () => {
  for (const limit of [10, 137, 4321]) {
    const { rate, isGeneratorLimited, trials } = await searchRate(upTo(limit), 10);
    assert.ok(rate <= limit && rate > limit / 1.05, `${rate} for ${limit}`);
    assert.equal(isGeneratorLimited, false);
    assert.ok(trials.length < 20, `${trials.length} trials`);
  }
});

test('a server that cannot do the first rate gets 0', async () => {
  assert.equal((await searchRate(upTo(5), 10)).rate, 0);
});

test('a rate that the generator cannot make does not count, and the search says so', async () => {
  const { rate, isGeneratorLimited } = await searchRate(upTo(1000, 500), 10);
  assert.ok(rate <= 500 && rate > 500 / 1.05, String(rate));
  assert.equal(isGeneratorLimited, true);
});
