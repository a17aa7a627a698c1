/** Faults of processes, disks and clocks. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Question } from './questions.js';
import { type Outcome, underLoad } from './world.js';

/** A worker that lived longer is restarted after the shortest back-off. */
const STABLE_MS = 10_500;

/** kill -9 of the only worker, each time once it answers again. */
export function workerKilled(questions: readonly Question[], quick: boolean): Promise<Outcome> {
  const times = quick ? 2 : 10;

  return underLoad(
    `kill -9 of the worker, ${times} times`,
    questions,
    { codes: ['UNAVAILABLE'] },
    async (world, report) => {
      for (let i = 0; i < times; i++) {
        const [pid] = world.server.workers;
        process.kill(pid, 'SIGKILL');
        report.recoveries.push(await world.load.recovery());
        report.expect(world.server.workers[0] !== pid, 'the worker is the same');
        if (!quick) await setTimeout(STABLE_MS);
      }
    },
  );
}

/** SIGTERM: what had begun before is answered, and the status is 0. */
export function terminated(questions: readonly Question[]): Promise<Outcome> {
  const options = { codes: ['UNAVAILABLE'] };
  return underLoad('SIGTERM', questions, options, async ({ server, load }, report) => {
    load.isStopping = true;
    const status = await server.stop();
    report.expect(status === 0, `exit status ${status}`);
  });
}

/** Output and log go where every write fails for want of space; each request is logged. */
export function fullDisk(questions: readonly Question[], quick: boolean): Promise<Outcome> {
  const options = { output: '/dev/full', settings: { accessLog: true } };
  return underLoad(
    'full disk for output and logs',
    questions,
    options,
    async ({ load }, report) => {
      await setTimeout(quick ? 2000 : 20_000);
      report.recoveries.push(await load.recovery());
    },
  );
}

const FAKETIME = 'libfaketimeMT.so.1';

/** Path of libfaketime's library for programs with threads; undefined where it is not installed. */
function faketimeLibrary(): string | undefined {
  const folders = readdirSync('/usr/lib').map((name) => join('/usr/lib', name, 'faketime'));
  return folders.map((folder) => join(folder, FAKETIME)).find((path) => existsSync(path));
}

/** Steps of the wall clock, in seconds from the true time. */
const STEPS = [3600, -3600, 86_400, -86_400, 0];

/** The wall clock of server and workers is set forward and back. Undefined without libfaketime. */
export async function clockStepped(
  questions: readonly Question[],
  quick: boolean,
): Promise<Outcome | undefined> {
  const library = faketimeLibrary();
  if (library === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'lcq-clock-'));
  const file = join(folder, 'clock');
  const setClock = async (seconds: number) => {
    await writeFile(`${file}.next`, seconds < 0 ? `${seconds}` : `+${seconds}`);
    await rename(`${file}.next`, file);
  };
  await setClock(0);
  const environment = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // As a step of the real clock leaves it.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const settings = {
    rateLimit: 100_000,
    latencyTargetMs: 1000,
    modelControl: 'poll',
    pollIntervalMs: 200,
  };
  try {
    return await underLoad(
      'clock steps',
      questions,
      { environment, settings },
      async (world, report) => {
        for (const step of STEPS) {
          await setClock(step);
          report.recoveries.push(await world.load.recovery());
          const seen = await world.server.wallClock();
          const off = seen - (Date.now() / 1000 + step);
          report.expect(Math.abs(off) < 60, `the clock is ${off} s off: nothing was tested`);
          await setTimeout(quick ? 500 : 3000);
        }
      },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
