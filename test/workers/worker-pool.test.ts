import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LcqError } from '../../src/errors.js';
import type { ModelSession, Trial } from '../../src/runtime/session.js';
import type { Crash, Restart } from '../../src/workers/supervisor.js';
import { WorkerPool } from '../../src/workers/worker-pool.js';
import { CRASH, HANG, SLOW, THROW_CODED, THROW_DEFECT } from './fragile-worker.js';

const module = fileURLToPath(new URL('./fragile-worker.js', import.meta.url));

interface Watched {
  readonly pool: WorkerPool;
  readonly crashes: Crash[];
  readonly restarts: Restart[];
  readonly reopenFailures: string[];
  /** Resolves at the next restart. */
  restarted(): Promise<unknown>;
}

async function withPool(
  count: number,
  use: (watched: Watched) => Promise<void>,
  { runTimeoutMs = 60_000, backOffMs = 20, args = ['serve'] } = {},
): Promise<void> {
  const crashes: Crash[] = [];
  const restarts: Restart[] = [];
  const reopenFailures: string[] = [];
  const pool = new WorkerPool(count, {
    command: { module, args, env: {} },
    backOffMs,
    maxBackOffMs: Math.max(60, backOffMs),
    runTimeoutMs,
  });
  pool.on('crash', (crash) => crashes.push(crash));
  pool.on('restart', (restart) => restarts.push(restart));
  pool.on('reopenFailed', (path, { message }) => reopenFailures.push(`${path}: ${message}`));
  try {
    const restarted = () => once(pool, 'restart');
    await use({ pool, crashes, restarts, reopenFailures, restarted });
  } finally {
    await pool.close();
  }
  assert.deepEqual(pool.pids, []);
}

const open = (pool: WorkerPool, path: string, trial: Partial<Trial> = {}) =>
  pool.open({ path, sha256: 'any' }, { check() {}, warmUp: () => [], ...trial });

const feeds = (bytes: readonly number[]) =>
  ({ x: { datatype: 'UINT8', shape: [bytes.length], data: Uint8Array.from(bytes) } }) as const;

async function run(
  session: Pick<ModelSession, 'run'>,
  bytes: readonly number[],
): Promise<number[]> {
  const { y } = await session.run(feeds(bytes));
  assert.deepEqual([y.datatype, y.shape], ['UINT8', [bytes.length]]);
  return [...(y.data as Uint8Array)];
}

const unavailable = (error: unknown) => error instanceof LcqError && error.code === 'UNAVAILABLE';

test('a session in a worker is like one in the process', () =>
  withPool(1, async ({ pool }) => {
    const session = await open(pool, 'model');
    assert.deepEqual(session.inputs, [{ name: 'x', datatype: 'UINT8', shape: [-1] }]);
    assert.deepEqual(session.outputs, [{ name: 'y', datatype: 'UINT8', shape: [-1] }]);
    assert.deepEqual(await run(session, [0, 1, 2]), [255, 254, 253]);
    assert.deepEqual(await run(session, []), []);
    // Larger than any buffer on the way, and at an offset in its own.
    const large = new Uint8Array(3_000_001).fill(7).subarray(1);
    const feeds = { x: { datatype: 'UINT8', shape: [large.length], data: large } } as const;
    const { y } = await session.run(feeds);
    assert.ok((y.data as Uint8Array).every((value) => value === 248));
    await session.dispose();
    await assert.rejects(run(session, [1]), unavailable);
  }));

test('64-bit integers pass', () =>
  withPool(1, async ({ pool }) => {
    const session = await open(pool, 'echo');
    const data = BigInt64Array.of(2n ** 62n, -1n);
    const { y } = await session.run({ x: { datatype: 'INT64', shape: [2], data } });
    assert.deepEqual(y.data, data);
  }));

test('runs overlap, and each gets its own answer', () =>
  withPool(1, async ({ pool }) => {
    const session = await open(pool, 'model');
    const runs = Array.from({ length: 50 }, (_, i) => run(session, [i % 5 === 0 ? SLOW : i, i]));
    (await Promise.all(runs)).forEach((answer, i) => {
      assert.deepEqual(answer, [255 - (i % 5 === 0 ? SLOW : i), 255 - i]);
    });
  }));

test('errors keep their code and message; what is not ours stays inside', () =>
  withPool(1, async ({ pool, crashes }) => {
    const session = await open(pool, 'model');
    await assert.rejects(run(session, [THROW_CODED]), {
      code: 'INVALID_ARGUMENT',
      message: 'not this one',
    });
    await assert.rejects(run(session, [THROW_DEFECT]), (error: LcqError) => {
      assert.deepEqual([error.code, error.message], ['INTERNAL', 'internal error']);
      assert.match((error.cause as Error).message, /RangeError: out of bounds/);
      return true;
    });
    await assert.rejects(open(pool, 'broken'), { code: 'UNSUPPORTED' });
    assert.deepEqual(crashes, []);
  }));

test('a crash costs what was in flight in that worker; it comes back with its sessions', () =>
  withPool(2, async ({ pool, crashes, restarts, restarted }) => {
    const [one, two] = [await open(pool, 'one'), await open(pool, 'two')];
    assert.equal(new Set(pool.pids).size, 2);
    const [pid] = pool.pids;
    const inFlight = assert.rejects(run(one, [SLOW]), unavailable);
    const elsewhere = run(two, [SLOW]);
    const back = restarted();
    await assert.rejects(run(one, [CRASH]), unavailable);
    await inFlight;
    assert.deepEqual(crashes, [{ pid, how: 'SIGSEGV', backOffMs: 20 }]);
    await assert.rejects(run(one, [1]), /is restarting/);
    assert.deepEqual(await elsewhere, [255 - SLOW]);
    await back;
    assert.equal(restarts[0].sessions, 1);
    assert.notEqual(restarts[0].pid, pid);
    assert.deepEqual(await run(one, [1]), [254]);
  }));

test('killed from outside, it comes back as well', () =>
  withPool(1, async ({ pool, crashes, restarted }) => {
    const session = await open(pool, 'model');
    const back = restarted();
    process.kill(pool.pids[0], 'SIGKILL');
    await back;
    assert.equal(crashes[0].how, 'SIGKILL');
    assert.deepEqual(await run(session, [9]), [246]);
  }));

test('a session that comes back passes its trial again before it takes requests', () =>
  withPool(1, async ({ pool, restarted }) => {
    let checks = 0;
    let refused: Promise<void> | undefined;
    const check = () => {
      checks += 1;
      if (checks === 2) refused = assert.rejects(run(session, [1]), /is restarting/);
    };
    const session: ModelSession = await open(pool, 'model', {
      check,
      warmUp: () => [feeds([SLOW])],
    });
    const back = restarted();
    process.kill(pool.pids[0], 'SIGKILL');
    await back;
    await refused;
    assert.deepEqual([await run(session, [1]), checks], [[254], 2]);
  }));

test('a session that does not pass is not kept', () =>
  withPool(1, async ({ pool, crashes }) => {
    const check = () => {
      throw new LcqError('INVALID_ARGUMENT', 'not this input');
    };
    const failing = { warmUp: () => [feeds([1]), feeds([THROW_CODED])] };
    await assert.rejects(open(pool, 'model', { ...failing, check }), { message: 'not this input' });
    await assert.rejects(open(pool, 'model', failing), { message: 'not this one' });
    const session = await open(pool, 'model', { warmUp: () => [feeds([1])] });
    assert.deepEqual([await run(session, [1]), crashes], [[254], []]);
  }));

test('a worker that hangs in a trial is ended', () =>
  withPool(
    1,
    async ({ pool, crashes, restarted }) => {
      const back = restarted();
      await assert.rejects(open(pool, 'model', { warmUp: () => [feeds([HANG])] }), unavailable);
      await back;
      assert.equal(crashes[0].how, 'SIGKILL');
    },
    { runTimeoutMs: 50 },
  ));

test('a session that cannot be opened again says why, and comes back with its file', () =>
  withPool(1, async ({ pool, reopenFailures, restarted }) => {
    const folder = await mkdtemp(join(tmpdir(), 'lcq-worker-'));
    const path = join(folder, 'model');
    try {
      await writeFile(path, '');
      const [session, other] = [await open(pool, path), await open(pool, 'model')];
      await rm(path);
      const back = restarted();
      process.kill(pool.pids[0], 'SIGKILL');
      await back;
      assert.deepEqual(await run(other, [1]), [254]);
      await assert.rejects(run(session, [1]), {
        code: 'UNAVAILABLE',
        message: 'not open since its worker process restarted: no such file',
      });
      assert.equal(reopenFailures[0], `${path}: no such file`);
      await writeFile(path, '');
      const answer = () => run(session, [1]).catch(() => undefined);
      while ((await answer()) === undefined) await setTimeout(5);
    } finally {
      await rm(folder, { recursive: true });
    }
  }));

test('a model that is opened while its worker is down waits for the next one', () =>
  withPool(1, async ({ pool, restarted }) => {
    await open(pool, 'one');
    const [pid] = pool.pids;
    const back = restarted();
    process.kill(pid, 'SIGKILL');
    while (pool.pids.includes(pid)) await setTimeout(1);
    const session = await open(pool, 'two');
    assert.deepEqual(await run(session, [1]), [254]);
    await back;
  }));

/** A pool whose first `failures` starts of a worker fail. */
async function withFailingStarts(
  failures: number,
  workers: number,
  use: (watched: Watched, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-worker-'));
  try {
    for (let i = 0; i < failures; i++) await writeFile(join(folder, `${i}`), '');
    const args = ['serve', folder];
    await withPool(workers, (watched) => use(watched, folder), { args });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a worker whose first start fails takes models once it is up, as the others do before', () =>
  withFailingStarts(1, 2, async ({ pool, restarted }) => {
    const back = restarted();
    assert.deepEqual(await run(await open(pool, 'one'), [1]), [254]);
    await back;
    assert.equal(pool.pids.length, 2);
    assert.deepEqual(await run(await open(pool, 'two'), [1]), [254]);
  }));

test('without a worker that starts a model is refused; once one does, models are opened', () =>
  withFailingStarts(1000, 1, async ({ pool, restarted }, folder) => {
    const message = 'a worker process ended while it started (1)';
    await assert.rejects(open(pool, 'model'), { code: 'UNAVAILABLE', message });
    const back = restarted();
    for (const name of await readdir(folder)) await rm(join(folder, name), { force: true });
    await back;
    assert.deepEqual(await run(await open(pool, 'model'), [1]), [254]);
  }));

test('what waits to be opened is told when nothing more is opened; what is open goes on', () =>
  withPool(
    2,
    async ({ pool }) => {
      const session = await open(pool, 'model');
      pool.stopOpening();
      await assert.rejects(open(pool, 'model'), { message: 'Server is stopping' });
      assert.deepEqual(await run(session, [1]), [254]);
    },
    { backOffMs: 60_000 },
  ));

test('an opening that waits for a worker does not outlast the pool', () =>
  withPool(
    1,
    async ({ pool }) => {
      await assert.rejects(open(pool, 'deadly'), unavailable);
      while (pool.pids.length > 0) await setTimeout(1);
      const refused = assert.rejects(open(pool, 'model'), { message: 'Server is stopping' });
      await setTimeout(0);
      await pool.close();
      await refused;
      await assert.rejects(open(pool, 'model'), { message: 'Server is stopping' });
    },
    { backOffMs: 60_000 },
  ));

test('restarts back off while a worker keeps crashing', () =>
  withPool(1, async ({ pool, crashes, restarted }) => {
    const session = await open(pool, 'model');
    for (let i = 0; i < 4; i++) {
      const back = restarted();
      await assert.rejects(run(session, [CRASH]), unavailable);
      await back;
    }
    assert.deepEqual(
      crashes.map(({ backOffMs }) => backOffMs),
      [20, 40, 60, 60],
    );
  }));

test('a model that crashes its worker while it opens is not opened again', () =>
  withPool(1, async ({ pool, restarts, restarted }) => {
    const back = restarted();
    await assert.rejects(open(pool, 'deadly'), unavailable);
    await back;
    assert.equal(restarts[0].sessions, 0);
    const session = await open(pool, 'model');
    assert.deepEqual(await run(session, [1]), [254]);
  }));

test('a run that hangs is ended with its worker', () =>
  withPool(
    1,
    async ({ pool, crashes, restarted }) => {
      const session = await open(pool, 'model');
      const back = restarted();
      await assert.rejects(run(session, [HANG]), unavailable);
      assert.equal(crashes[0].how, 'SIGKILL');
      await back;
      assert.deepEqual(await run(session, [1]), [254]);
    },
    { runTimeoutMs: 150 },
  ));

test('a signal to the process group does not end a worker, closing does', () =>
  withPool(1, async ({ pool, crashes }) => {
    const session = await open(pool, 'model');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pool.pids[0], signal);
    await setTimeout(50);
    assert.deepEqual(await run(session, [1]), [254]);
    assert.deepEqual(crashes, []);
  }));
