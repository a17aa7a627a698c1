import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BatchedReply,
  type Caller,
  DynamicBatcher,
} from '../../src/batching/dynamic-batcher.js';
import type { BatchingPolicy, FlushReason } from '../../src/batching/policy.js';
import { LcqError } from '../../src/errors.js';
import { ManualClock } from './manual-clock.js';

const POLICY: BatchingPolicy = {
  maxBatchSize: 4,
  maxQueueDelayMs: 10,
  queueCapacity: 100,
  maxBatchesInFlight: 1,
};

interface Item {
  readonly value: number;
  readonly size: number;
}

/** A batcher that doubles values, whose runs end when the test says so. */
class Bench {
  readonly clock = new ManualClock();
  readonly batches: Item[][] = [];
  readonly reasons: FlushReason[] = [];
  readonly batcher: DynamicBatcher<Item, number>;
  readonly #running: { items: readonly Item[]; end: (error?: Error) => void }[] = [];

  constructor(policy: Partial<BatchingPolicy> = {}) {
    const work = {
      size: (item: Item) => item.size,
      run: (items: readonly Item[]) => this.#run(items),
      onBatch: (_size: number, reason: FlushReason) => void this.reasons.push(reason),
    };
    this.batcher = new DynamicBatcher({ ...POLICY, ...policy }, work, this.clock);
  }

  submit(value: number, caller: Caller = {}, { size = 1 } = {}) {
    return this.batcher.submit(async () => ({ value, size }), caller);
  }

  /** Announces a request that is not ready before `arrive` is called. */
  announce(value: number) {
    let arrive: (error?: Error) => void = () => {};
    const reply = this.batcher.submit(
      () =>
        new Promise<Item>((resolve, reject) => {
          arrive = (error) => (error ? reject(error) : resolve({ value, size: 1 }));
        }),
    );
    return { reply, arrive: (error?: Error) => arrive(error) };
  }

  get values(): number[][] {
    return this.batches.map((items) => items.map((item) => item.value));
  }

  get running(): number {
    return this.#running.length;
  }

  async endRun(error?: Error): Promise<void> {
    this.#running.shift()?.end(error);
    await this.clock.settle();
  }

  #run(items: readonly Item[]): Promise<number[]> {
    this.batches.push([...items]);
    return new Promise((resolve, reject) => {
      const end = (error?: Error) =>
        error ? reject(error) : resolve(items.map((item) => item.value * 2));
      this.#running.push({ items, end });
    });
  }
}

const outputs = async (replies: Promise<BatchedReply<number>>[]) =>
  (await Promise.all(replies)).map((reply) => reply.output);

const withCode = (code: string) => (error: unknown) =>
  error instanceof LcqError && error.code === code;

test('a lone request runs at once, without waiting for the delay', async () => {
  const bench = new Bench();
  const reply = bench.submit(21);
  await bench.clock.settle();
  assert.deepEqual(bench.reasons, ['settled']);
  await bench.endRun();
  assert.deepEqual(await reply, { output: 42, queueMs: 0, runMs: 0, batchSize: 1 });
});

test('requests of one moment share a batch', async () => {
  const bench = new Bench();
  const replies = [1, 2, 3].map((value) => bench.submit(value));
  await bench.clock.settle();
  assert.deepEqual(bench.values, [[1, 2, 3]]);
  await bench.endRun();
  assert.deepEqual(await outputs(replies), [2, 4, 6]);
});

test('a batch waits for one that is on its way, but no longer than the delay', async () => {
  const bench = new Bench();
  const late = bench.announce(1);
  const early = bench.submit(2);
  await bench.clock.settle();
  assert.deepEqual(bench.values, []);
  await bench.clock.advance(9);
  assert.deepEqual(bench.values, []);
  await bench.clock.advance(1);
  assert.deepEqual(bench.values, [[2]]);
  late.arrive();
  await bench.endRun();
  await bench.endRun();
  assert.deepEqual(await outputs([late.reply, early]), [2, 4]);
  assert.deepEqual(bench.reasons, ['delay', 'settled']);
});

test('a batch goes as soon as the last one on its way arrives, or fails', async () => {
  for (const error of [undefined, new LcqError('INVALID_ARGUMENT', 'not a picture')]) {
    const bench = new Bench();
    const late = bench.announce(1);
    const early = bench.submit(2);
    await bench.clock.settle();
    const refused = error && assert.rejects(late.reply, error);
    late.arrive(error);
    await bench.clock.settle();
    assert.deepEqual(bench.values, error ? [[2]] : [[2, 1]]);
    await bench.endRun();
    await refused;
    assert.equal((await early).output, 4);
  }
});

test('arrivals accumulate while a batch runs, up to the largest size', async () => {
  const bench = new Bench();
  const replies = [bench.submit(0)];
  await bench.clock.settle();
  for (const value of [1, 2, 3, 4, 5]) replies.push(bench.submit(value));
  await bench.clock.settle();
  assert.deepEqual(bench.values, [[0]]);
  await bench.endRun();
  assert.deepEqual(bench.values, [[0], [1, 2, 3, 4]]);
  await bench.endRun();
  await bench.endRun();
  assert.deepEqual(bench.reasons, ['settled', 'full', 'settled']);
  assert.deepEqual(await outputs(replies), [0, 2, 4, 6, 8, 10]);
});

test('as many batches run at once as the policy says', async () => {
  const bench = new Bench({ maxBatchesInFlight: 2, maxBatchSize: 1 });
  const replies = [1, 2, 3].map((value) => bench.submit(value));
  await bench.clock.settle();
  assert.equal(bench.running, 2);
  await bench.endRun();
  assert.equal(bench.running, 2);
  await bench.endRun();
  await bench.endRun();
  assert.deepEqual(await outputs(replies), [2, 4, 6]);
});

test('an item that does not fit waits for the next batch, and nobody overtakes it', async () => {
  const bench = new Bench();
  const replies = [
    bench.submit(1, {}, { size: 3 }),
    bench.submit(2, {}, { size: 2 }),
    bench.submit(3),
  ];
  await bench.clock.settle();
  await bench.endRun();
  await bench.endRun();
  assert.deepEqual(bench.values, [[1], [2, 3]]);
  assert.deepEqual(await outputs(replies), [2, 4, 6]);
});

test('a full queue refuses, counting requests that are still being prepared', async () => {
  const bench = new Bench({ queueCapacity: 2 });
  const late = bench.announce(1);
  const second = bench.submit(2);
  assert.equal(bench.batcher.depth, 2);
  await assert.rejects(bench.submit(3), withCode('RESOURCE_EXHAUSTED'));
  late.arrive();
  await bench.clock.settle();
  await bench.endRun();
  assert.deepEqual(await outputs([late.reply, second]), [2, 4]);
  assert.equal(bench.batcher.depth, 0);
});

test('a cancelled request leaves the queue; one that runs only loses its reply', async () => {
  const bench = new Bench();
  const [first, queued] = [new AbortController(), new AbortController()];
  const running = bench.submit(1, { signal: first.signal });
  await bench.clock.settle();
  const waiting = bench.submit(2, { signal: queued.signal });
  const third = bench.submit(3);
  await bench.clock.settle();
  first.abort();
  queued.abort();
  await assert.rejects(running, withCode('CANCELLED'));
  await assert.rejects(waiting, withCode('CANCELLED'));
  await bench.endRun();
  await bench.endRun();
  assert.deepEqual(bench.values, [[1], [3]]);
  assert.equal((await third).output, 6);
  await assert.rejects(bench.submit(4, { signal: queued.signal }), withCode('CANCELLED'));
});

test('a request is not run after its deadline', async () => {
  const bench = new Bench();
  const first = bench.submit(1);
  await bench.clock.settle();
  const late = bench.submit(2, { deadline: 5 });
  const refused = assert.rejects(late, withCode('DEADLINE_EXCEEDED'));
  const inTime = bench.submit(3, { deadline: 50 });
  await bench.clock.settle();
  await bench.clock.advance(5);
  await refused; // while the run at hand goes on
  await bench.endRun();
  await bench.endRun();
  assert.deepEqual(bench.values, [[1], [3]]);
  await Promise.all([first, inTime]);
  await assert.rejects(bench.submit(4, { deadline: 5 }), withCode('DEADLINE_EXCEEDED'));
});

test('the next batch starts before the callers of the last have their replies', async () => {
  const bench = new Bench({ maxBatchSize: 1 });
  const runningAtReply = bench.submit(1).then(() => bench.values);
  void bench.submit(2);
  await bench.clock.settle();
  await bench.endRun();
  assert.deepEqual(await runningAtReply, [[1], [2]]);
  await bench.endRun();
});

test('a failed run fails its own batch only', async () => {
  const bench = new Bench({ maxBatchSize: 2 });
  const replies = [1, 2, 3].map((value) => bench.submit(value));
  const failed = replies.slice(0, 2).map((reply) => assert.rejects(reply, /out of memory/));
  await bench.clock.settle();
  await bench.endRun(new Error('out of memory'));
  await Promise.all(failed);
  await bench.endRun();
  assert.equal((await replies[2]).output, 6);
});

test('draining runs what is queued without delay, then refuses', async () => {
  const bench = new Bench();
  const late = bench.announce(1);
  const queued = bench.submit(2);
  await bench.clock.settle();
  let drained = false;
  const drain = bench.batcher.drain().then(() => {
    drained = true;
  });
  await bench.clock.settle();
  assert.deepEqual(bench.reasons, ['drain']);
  await assert.rejects(bench.submit(3), withCode('UNAVAILABLE'));
  await bench.endRun();
  assert.equal(drained, false);
  late.arrive();
  await bench.clock.settle();
  await bench.endRun();
  await drain;
  assert.deepEqual(await outputs([late.reply, queued]), [2, 4]);
});

test('property: every caller gets its own answer or its own refusal, whatever is cancelled', async () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('submit' as const),
        size: fc.integer({ min: 1, max: 4 }),
        priority: fc.nat(4),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(200) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(12) }) },
  );
  const policy = fc.record({
    maxBatchSize: fc.integer({ min: 4, max: 9 }),
    maxQueueDelayMs: fc.nat(10),
    maxBatchesInFlight: fc.integer({ min: 1, max: 3 }),
    preferredBatchSizes: fc.uniqueArray(fc.integer({ min: 1, max: 4 })),
    priorityLevels: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(policy, fc.array(step, { maxLength: 60 }), async (chosen, steps) => {
      const bench = new Bench(chosen);
      const callers: {
        controller: AbortController;
        reply: Promise<unknown>;
        cancelled: boolean;
      }[] = [];
      for (const action of steps) {
        if (action.do === 'submit') {
          const controller = new AbortController();
          const caller = { signal: controller.signal, priority: action.priority };
          const reply = bench.submit(callers.length, caller, { size: action.size });
          const answer = reply.then(
            ({ output }) => output,
            (error: LcqError) => error.code,
          );
          callers.push({ controller, reply: answer, cancelled: false });
        } else if (action.do === 'cancel' && callers.length > 0) {
          const caller = callers[action.which % callers.length];
          caller.controller.abort();
          caller.cancelled = true;
        } else if (action.do === 'end') {
          await bench.endRun();
        } else if (action.do === 'wait') {
          await bench.clock.advance(action.ms);
        }
      }
      await bench.clock.advance(10);
      while (bench.running > 0) await bench.endRun();
      const answers = await Promise.all(callers.map((caller) => caller.reply));
      answers.forEach((answer, i) => {
        const allowed = callers[i].cancelled ? [i * 2, 'CANCELLED'] : [i * 2];
        assert.ok((allowed as unknown[]).includes(answer), `caller ${i} got ${answer}`);
      });
      const sizes = bench.batches.map((items) => items.reduce((sum, item) => sum + item.size, 0));
      assert.ok(sizes.every((size) => size <= chosen.maxBatchSize));
      assert.equal(new Set(bench.values.flat()).size, bench.values.flat().length);
      assert.equal(bench.batcher.depth, 0);
    }),
    { seed: 20250, numRuns: 100 },
  );
});
