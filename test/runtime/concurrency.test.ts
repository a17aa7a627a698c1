import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import type { Tensor } from '../../src/runtime/session.js';
import { convModel } from './models.js';
import { openSlowSession, slowFeeds, slowResult } from './slow-model.js';

const layer = { weightBits: 2, depth: 8, channelsPerGroup: 24, batch: 1 } as const;

describe('runs and the event loop', () => {
  test('a long run does not hold up timers', async () => {
    const session = await openSlowSession();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { Y } = await session.run(slowFeeds);
    clearInterval(timer);
    assert.ok(ticks >= 5, `${ticks} ticks of a millisecond during a run of tens of milliseconds`);
    assert.deepEqual(Y.data, slowResult());
    await session.dispose();
  });

  test('runs that overlap in one session keep their inputs apart', async () => {
    const model = convModel({ ...layer, size: [8, 8] });
    const session = await createLcqSession(model.bytes);
    const { shape } = model.feeds.X;
    const feedsOf = (i: number): Record<string, Tensor> => {
      const data = Uint8Array.from(model.codes, (code) => (code + i) % 4);
      return { X: { datatype: 'UINT8', shape, data } };
    };
    const runs = Array.from({ length: 24 }, (_, i) => session.run(feedsOf(i)));
    const overlapped = await Promise.all(runs);
    for (const [i, { Y }] of overlapped.entries()) {
      const alone = await session.run(feedsOf(i));
      assert.deepEqual(Y.data, alone.Y.data);
    }
    assert.deepEqual(overlapped[0].Y.data, model.expected);
    assert.notDeepEqual(overlapped[1].Y.data, model.expected);
    await session.dispose();
  });

  test('sessions that overlap keep their models apart', async () => {
    const models = [1, 2, 3, 4].map((seed) => convModel(layer, seed));
    const sessions = await Promise.all(models.map(({ bytes }) => createLcqSession(bytes)));
    const results = await Promise.all(sessions.map((s, i) => s.run(models[i].feeds)));
    for (const [i, { Y }] of results.entries()) assert.deepEqual(Y.data, models[i].expected);
    await Promise.all(sessions.map((session) => session.dispose()));
  });

  test('200 sessions one after the other leave no memory behind', async () => {
    // A leaked session would hold its weights, half a megabyte.
    const big = { weightBits: 8, size: [3, 3], depth: 256, channelsPerGroup: 256 } as const;
    const { bytes, feeds } = convModel(big);
    const cycle = async () => {
      const session = await createLcqSession(bytes);
      await session.run(feeds);
      await session.dispose();
    };
    for (let i = 0; i < 50; i++) await cycle();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 150; i++) await cycle();
    const growth = (process.memoryUsage.rss() - before) / 2 ** 20;
    assert.ok(growth < 32, `${growth.toFixed(1)} MiB more after 150 sessions`);
  });
});

describe('worker threads', () => {
  const script = new URL('./endless-worker.js', import.meta.url);

  test('may be terminated in the middle of a run', async () => {
    const model = convModel(layer);
    const session = await createLcqSession(model.bytes);
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(script);
      await once(worker, 'message'); // runs are in flight
      await worker.terminate();
      const { Y } = await session.run(model.feeds);
      assert.deepEqual(Y.data, model.expected);
    }
    await session.dispose();
  });

  test('the process may exit in the middle of a run', () => {
    const child = spawnSync(process.execPath, [fileURLToPath(script), 'exit'], {
      encoding: 'utf8',
    });
    assert.deepEqual([child.status, child.signal, child.stderr], [0, null, '']);
  });
});
