/** A lock between processes that needs nothing but a file system: the directory exists while the lock is held. */
import { mkdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const HEARTBEAT_MS = 1_000;
/** Ten missed heartbeats: the holder was killed. */
const STALE_MS = 10_000;
const POLL_MS = 200;

/** Runs `task` while no other process runs one under the same lock. `onWait` is called once if that takes waiting. */
export async function withLock(directory, task, onWait) {
  for (let waited = false; !acquire(directory); waited = true) {
    if (!waited) onWait();
    await sleep(POLL_MS);
  }
  const heartbeat = setInterval(() => touch(directory), HEARTBEAT_MS);
  const release = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', release);
  try {
    return await task();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}

function acquire(directory) {
  return create(directory) || (isStale(directory) && takeOver(directory));
}

/** One waiter at a time judges an abandoned lock, and judges it anew: two that saw it stale must not both take it. */
function takeOver(directory) {
  const judging = `${directory}.takeover`;
  if (!create(judging)) return false;
  try {
    if (!isStale(directory)) return false;
    touch(directory);
    return true;
  } finally {
    rmSync(judging, { recursive: true, force: true });
  }
}

function create(directory) {
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function touch(directory) {
  const now = new Date();
  utimesSync(directory, now, now);
}

function isStale(directory) {
  const status = statSync(directory, { throwIfNoEntry: false });
  return status !== undefined && Date.now() - status.mtimeMs > STALE_MS;
}
