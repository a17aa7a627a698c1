import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LcqError } from '../../src/errors.js';
import { openInstances } from '../../src/serving/session-pool.js';
import { type ColourSession, colourSession } from './colour-model.js';

const feeds = {
  image: { datatype: 'UINT8', shape: [1, 8, 8, 3], data: new Uint8Array(192) },
} as const;

test('runs that overlap go to different sessions', async () => {
  const sessions: ColourSession[] = [];
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const open = async () => {
    sessions.push(colourSession(() => gate));
    return sessions[sessions.length - 1];
  };
  const pool = await openInstances(open, 3);
  const runs = [1, 2, 3, 4].map(() => pool.run(feeds));
  assert.deepEqual(
    sessions.map(({ batches }) => batches.length),
    [2, 1, 1],
  );
  release();
  await Promise.all(runs);
  await pool.dispose();
  assert.ok(sessions.every(({ disposed }) => disposed));
});

test('a session that is not available does not draw the runs of the others', async () => {
  let opened = 0;
  const open = async () => {
    opened += 1;
    if (opened > 1) return colourSession();
    return colourSession(() => Promise.reject(new LcqError('UNAVAILABLE', 'restarting')));
  };
  const pool = await openInstances(open, 2);
  await assert.rejects(pool.run(feeds), { code: 'UNAVAILABLE' });
  for (let i = 0; i < 5; i++) await pool.run(feeds);
});

test('when one cannot be opened, none stays open', async () => {
  const session = colourSession();
  const answers = [Promise.resolve(session), Promise.reject(new Error('no memory'))];
  await assert.rejects(
    openInstances(() => answers.shift() ?? assert.fail(), 2),
    /no memory/,
  );
  assert.equal(session.disposed, true);
});
