/** Runs wait in libuv's thread pool, of 4 threads by default: fewer than batches that may be in flight. */
const POOL_SIZE = 16;

/** The environment of a worker process: the server's own. */
export function workerEnvironment(): Record<string, string | undefined> {
  return { UV_THREADPOOL_SIZE: String(POOL_SIZE), ...process.env };
}
