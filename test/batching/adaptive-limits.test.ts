import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdaptiveLimits } from '../../src/batching/adaptive-limits.js';
import { DynamicBatcher } from '../../src/batching/dynamic-batcher.js';
import { ManualClock } from './manual-clock.js';

const CEILINGS = { maxBatchSize: 32, maxQueueDelayMs: 10, queueCapacity: 256 };

/** Feeds windows of equal replies. */
async function windows(limits: AdaptiveLimits, clock: ManualClock, count: number, run: number) {
  for (let i = 0; i < count; i++) {
    await clock.advance(300);
    for (let reply = 0; reply < 50; reply++) limits.observe(run, run);
  }
}

test('limits rise to their ceilings while replies are quick, and no further', async () => {
  const clock = new ManualClock();
  const limits = new AdaptiveLimits(CEILINGS, 100, clock);
  await windows(limits, clock, 40, 10);
  const { maxBatchSize, maxQueueDelayMs, queueCapacity } = limits;
  assert.deepEqual({ maxBatchSize, maxQueueDelayMs, queueCapacity }, CEILINGS);
});

test('limits fall while replies are late, and never to nothing', async () => {
  const clock = new ManualClock();
  const limits = new AdaptiveLimits(CEILINGS, 100, clock);
  await windows(limits, clock, 1, 80);
  assert.deepEqual([limits.maxBatchSize, limits.queueCapacity], [5, 44]);
  await windows(limits, clock, 40, 80);
  assert.deepEqual([limits.maxBatchSize, limits.queueCapacity], [1, 1]);
  assert.ok(limits.maxQueueDelayMs < 0.001);
});

test('a long wait alone leaves the batch size, which would only make it longer', async () => {
  const clock = new ManualClock();
  const limits = new AdaptiveLimits(CEILINGS, 100, clock);
  await clock.advance(300);
  for (let reply = 0; reply < 50; reply++) limits.observe(200, 45);
  assert.deepEqual([limits.maxBatchSize, limits.queueCapacity], [8, 44]);
});

test('few replies decide nothing', async () => {
  const clock = new ManualClock();
  const limits = new AdaptiveLimits(CEILINGS, 100, clock);
  await clock.advance(10_000);
  for (let reply = 0; reply < 49; reply++) limits.observe(500, 500);
  assert.equal(limits.maxBatchSize, 8);
});

interface Outcome {
  readonly p99: number;
  /** Replies a second. */
  readonly rate: number;
  readonly refused: number;
}

/**
 * Twenty seconds of a model that takes 4 ms and 1 ms for each row, under `rate` requests a second at regular times;
 * judged by the last ten.
 */
async function simulate(rate: number, latencyTargetMs: number | undefined): Promise<Outcome> {
  const clock = new ManualClock();
  const batcher = new DynamicBatcher<number, number>(
    { ...CEILINGS, maxBatchesInFlight: 1, ...(latencyTargetMs ? { latencyTargetMs } : {}) },
    {
      size: () => 1,
      run: (items) => new Promise((resolve) => clock.after(4 + items.length, () => resolve(items))),
    },
    clock,
  );
  const latencies: number[] = [];
  let refused = 0;
  let due = 0;
  for (let now = 0; now < 20_000; now++) {
    for (due += rate / 1000; due >= 1; due--) {
      const replied = () => void (now >= 10_000 && latencies.push(clock.now() - now));
      batcher
        .submit(async () => now)
        .then(replied, () => {
          refused += 1;
        });
    }
    await clock.advance(1);
  }
  latencies.sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)];
  return { p99, rate: latencies.length / 10, refused };
}

test('adaptive mode holds its target at twice the capacity, and keeps nine tenths of the throughput', async () => {
  // 32 rows in 36 ms are 889 a second; at 60 ms batches may take 30 ms, which is 26 rows: 867.
  const fixed = await simulate(1800, undefined);
  const adaptive = await simulate(1800, 60);
  assert.ok(fixed.p99 > 250, `without it p99 is ${fixed.p99}`);
  assert.ok(adaptive.p99 <= 66, `p99 ${adaptive.p99}`);
  assert.ok(adaptive.rate >= 0.9 * fixed.rate, `${adaptive.rate} of ${fixed.rate} a second`);
});

test('below capacity adaptive mode refuses nobody', async () => {
  const { p99, refused } = await simulate(400, 60);
  assert.equal(refused, 0);
  assert.ok(p99 <= 60, `p99 ${p99}`);
});
