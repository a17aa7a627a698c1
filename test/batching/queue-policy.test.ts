import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Caller, DynamicBatcher } from '../../src/batching/dynamic-batcher.js';
import type { BatchingPolicy, FlushReason } from '../../src/batching/policy.js';
import { ManualClock } from './manual-clock.js';

/** A batcher of numbers whose runs take 10 ms of the manual clock. */
class Bench {
  readonly clock = new ManualClock();
  readonly batches: (readonly number[])[] = [];
  readonly reasons: FlushReason[] = [];
  readonly prepared: number[] = [];
  readonly batcher: DynamicBatcher<number, number>;

  constructor(policy: Partial<BatchingPolicy>) {
    const limits = { maxBatchSize: 8, maxQueueDelayMs: 5, queueCapacity: 100 };
    this.batcher = new DynamicBatcher(
      { ...limits, maxBatchesInFlight: 1, ...policy },
      {
        size: () => 1,
        run: (items) => {
          this.batches.push(items);
          return new Promise((resolve) => this.clock.after(10, () => resolve(items)));
        },
        onBatch: (_size, reason) => this.reasons.push(reason),
      },
      this.clock,
    );
  }

  /** Resolves to the reply or to the code of the refusal. */
  submit(value: number, caller: Caller = {}): Promise<unknown> {
    const prepare = async () => {
      this.prepared.push(value);
      return value;
    };
    return this.batcher.submit(prepare, caller).then(
      ({ output }) => output,
      (error) => error.code,
    );
  }

  /** Starts a run that keeps the batcher busy for 10 ms. */
  async occupy(): Promise<void> {
    void this.submit(0);
    await this.clock.settle();
  }
}

test('a batch is of the largest preferred size that the queue reaches', async () => {
  const bench = new Bench({ preferredBatchSizes: [2, 4] });
  await bench.occupy();
  for (const value of [1, 2, 3, 4, 5, 6, 7]) void bench.submit(value);
  for (let i = 0; i < 4; i++) await bench.clock.advance(10);
  assert.deepEqual(bench.batches, [[0], [1, 2, 3, 4], [5, 6], [7]]);
});

test('a batch grows to what runs in time, and to its full size where sizes are preferred', async () => {
  for (const [policy, sizes] of [
    [{ maxRunMs: 30 }, [1, 3, 3, 2]],
    [{ maxRunMs: 30, preferredBatchSizes: [8] }, [1, 8]],
    [{ maxRunMs: 5 }, [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ] as const) {
    // Each run takes 10 ms, and so does the first item.
    const bench = new Bench(policy);
    await bench.occupy();
    const replies = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => bench.submit(value));
    for (let i = 0; i < sizes.length; i++) await bench.clock.advance(10);
    assert.deepEqual(await Promise.all(replies), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(
      bench.batches.map(({ length }) => length),
      sizes,
    );
  }
});

test('the largest preferred size goes at once, whoever else is on the way', async () => {
  const bench = new Bench({ preferredBatchSizes: [2] });
  void bench.batcher.submit(() => new Promise(() => {}));
  for (const value of [1, 2]) void bench.submit(value);
  await bench.clock.settle();
  assert.deepEqual(bench.batches, [[1, 2]]);
  assert.deepEqual(bench.reasons, ['preferred']);
});

test('priority 1 is served first, 0 and unknown levels are the default, order holds within a level', async () => {
  const bench = new Bench({ priorityLevels: 3, defaultPriority: 2, maxBatchSize: 2 });
  await bench.occupy();
  for (const [value, priority] of [
    [1, 3],
    [2, 0],
    [3, 1],
    [4, 99],
    [5, undefined],
    [6, 1],
  ] as const) {
    void bench.submit(value, { priority });
  }
  for (let i = 0; i < 4; i++) await bench.clock.advance(10);
  assert.deepEqual(bench.batches, [[0], [3, 6], [2, 4], [5, 1]]);
});

test('a full queue keeps callers waiting unprepared, in order of priority, up to as many again', async () => {
  const bench = new Bench({ queueCapacity: 2, whenFull: 'delay', priorityLevels: 2 });
  await bench.occupy();
  const inside = [bench.submit(1), bench.submit(2)];
  const gone = new AbortController();
  const cancelled = bench.submit(3, { signal: gone.signal });
  const outside = [bench.submit(4)];
  assert.equal(await bench.submit(5), 'RESOURCE_EXHAUSTED');
  gone.abort();
  assert.equal(await cancelled, 'CANCELLED');
  outside.push(bench.submit(6, { priority: 1 }));
  await bench.clock.settle();
  assert.deepEqual(bench.prepared, [0, 1, 2]);
  await bench.clock.advance(10);
  assert.deepEqual(bench.prepared, [0, 1, 2, 6, 4]);
  await bench.clock.advance(10);
  await bench.clock.advance(10);
  assert.deepEqual(await Promise.all([...inside, ...outside]), [1, 2, 4, 6]);
});

test('nobody outside is lost when the batcher drains', async () => {
  const bench = new Bench({ queueCapacity: 1, whenFull: 'delay' });
  await bench.occupy();
  const replies = [bench.submit(1), bench.submit(2)];
  const drained = bench.batcher.drain();
  for (let i = 0; i < 4; i++) await bench.clock.advance(10);
  await drained;
  assert.deepEqual(await Promise.all(replies), [1, 2]);
});

test("a queue timeout refuses; a request's own comes before the policy's", async () => {
  const bench = new Bench({ defaultTimeoutMs: 5 });
  await bench.occupy();
  const replies = [
    bench.submit(1),
    bench.submit(2, { timeoutMs: 50 }),
    bench.submit(3, { timeoutMs: 0 }),
  ];
  await bench.clock.advance(10);
  await bench.clock.advance(10);
  assert.deepEqual(await Promise.all(replies), ['DEADLINE_EXCEEDED', 2, 'DEADLINE_EXCEEDED']);
  assert.deepEqual(bench.batches, [[0], [2]]);
});

test('a timeout holds outside too', async () => {
  const bench = new Bench({ queueCapacity: 1, whenFull: 'delay' });
  await bench.occupy();
  const inside = bench.submit(1);
  const outside = bench.submit(2, { timeoutMs: 5 });
  await bench.clock.advance(10);
  assert.equal(await outside, 'DEADLINE_EXCEEDED');
  assert.deepEqual(bench.prepared, [0, 1]);
  await bench.clock.advance(10);
  assert.equal(await inside, 1);
});

test('whoever waits outside is told so at the deadline, also while nothing else happens', async () => {
  const bench = new Bench({ queueCapacity: 1, whenFull: 'delay' });
  await bench.occupy();
  void bench.submit(1);
  await bench.clock.settle();
  const outside = bench.submit(2, { timeoutMs: 5 });
  await bench.clock.settle();
  await bench.clock.advance(5);
  assert.equal(await outside, 'DEADLINE_EXCEEDED');
});

test('no timer is left once everybody has been served or has left', async () => {
  const bench = new Bench({ defaultTimeoutMs: 3_600_000 });
  const gone = new AbortController();
  await bench.occupy();
  const replies = [bench.submit(1), bench.submit(2, { signal: gone.signal })];
  await bench.clock.settle();
  gone.abort();
  for (let i = 0; i < 2; i++) await bench.clock.advance(10);
  assert.deepEqual(await Promise.all(replies), [1, 'CANCELLED']);
  assert.equal(bench.clock.pending, 0);
});

test('who would wait too long is refused at once, by the waits of those before', async () => {
  // Runs of 2 in 10 ms: 5 ms of waiting for each request ahead.
  const bench = new Bench({ maxBatchSize: 2, maxQueueWaitMs: 30 });
  await bench.occupy();
  const first = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((value) => bench.submit(value));
  for (let i = 0; i < 6; i++) await bench.clock.advance(10);
  assert.deepEqual(await Promise.all(first), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'nothing was known');
  await bench.occupy();
  bench.prepared.length = 0;
  const replies = Array.from({ length: 20 }, (_, i) => bench.submit(i));
  await bench.clock.settle();
  const admitted = [...bench.prepared];
  assert.ok(admitted.length >= 4 && admitted.length <= 7, `${admitted.length} let in`);
  for (let i = 0; i < 5; i++) await bench.clock.advance(10);
  const expected = replies.map((_, i) => (i < admitted.length ? i : 'RESOURCE_EXHAUSTED'));
  assert.deepEqual(await Promise.all(replies), expected);
});

for (const maxBatchSize of [1, 2]) {
  test(`a stall does not keep others out for good: batches of ${maxBatchSize}`, async () => {
    const bench = new Bench({ maxBatchSize, maxQueueWaitMs: 60 });
    const crowd = async (longMs: number) => {
      await bench.occupy();
      const replies = Array.from({ length: 12 }, (_, i) => bench.submit(i));
      await bench.clock.advance(longMs);
      for (let i = 0; i < 14; i++) await bench.clock.advance(10);
      const refused = (await Promise.all(replies)).filter((each) => each === 'RESOURCE_EXHAUSTED');
      return 12 - refused.length;
    };
    await crowd(10);
    await crowd(5000);
    assert.equal(await crowd(10), maxBatchSize + 1, 'the next batch, and one to tell');
    for (let i = 0; i < 250; i++) await crowd(10);
    assert.ok((await crowd(10)) > maxBatchSize + 1);
  });
}

test('whom the next batch has a place for is let in, however slow the runs', async () => {
  const bench = new Bench({ maxBatchSize: 4, maxQueueWaitMs: 1 });
  for (let round = 0; round < 3; round++) {
    await bench.occupy();
    const replies = [1, 2, 3, 4].map((value) => bench.submit(value));
    await bench.clock.advance(10);
    await bench.clock.advance(10);
    assert.deepEqual(await Promise.all(replies), [1, 2, 3, 4]);
  }
});
