import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConcurrencyLimit } from '../../src/image/concurrency-limit.js';

test('tasks run in order, never more at once than the limit, and a failure frees its place', async () => {
  const limit = new ConcurrencyLimit(2);
  const log: string[] = [];
  let running = 0;
  const tasks = ['a', 'b', 'c', 'd', 'e'].map((name, i) =>
    limit.run(async () => {
      running += 1;
      assert.ok(running <= 2);
      log.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (i % 2 === 0) throw new Error(name);
      return name;
    }),
  );
  const results = await Promise.allSettled(tasks);
  assert.deepEqual(log, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
  );
  assert.equal(await limit.run(async () => 'free'), 'free');
});
