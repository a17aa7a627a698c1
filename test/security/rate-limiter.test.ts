import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateLimiter } from '../../src/security/rate-limiter.js';

test('a burst, then the rate', () => {
  let now = 0;
  const limiter = new RateLimiter(10, 3, () => now);
  assert.deepEqual(
    [1, 2, 3].map(() => limiter.take('a')),
    [0, 0, 0],
  );
  assert.equal(limiter.take('a'), 0.1);
  now = 50;
  assert.equal(limiter.take('a'), 0.05);
  now = 100;
  assert.equal(limiter.take('a'), 0);
  assert.equal(limiter.take('b'), 0);
});

test('a refused request costs nothing', () => {
  let now = 0;
  const limiter = new RateLimiter(1, 1, () => now);
  limiter.take('a');
  for (; now < 1000; now += 10) assert.ok(limiter.take('a') > 0);
  assert.equal(limiter.take('a'), 0);
});

test('memory is bounded, whoever comes', () => {
  const limiter = new RateLimiter(1, 1, () => 0);
  limiter.take('first');
  for (let i = 0; i < 20_000; i++) limiter.take(`client ${i}`);
  assert.equal(limiter.size, 10_000);
  assert.equal(limiter.take('first'), 0);
  assert.ok(limiter.take('client 19999') > 0);
});

test('property: in any time a client gets at most the burst and the rate', () => {
  const requests = fc.array(fc.nat(300), { maxLength: 200 });
  fc.assert(
    fc.property(
      requests,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 9 }),
      (gaps, rate, burst) => {
        let now = 0;
        let allowed = 0;
        const limiter = new RateLimiter(rate, burst, () => now);
        for (const gap of gaps) {
          now += gap;
          if (limiter.take('a') === 0) allowed += 1;
        }
        assert.ok(allowed <= burst + (now / 1000) * rate + 1e-6);
      },
    ),
    { seed: 20250, numRuns: 100 },
  );
});
