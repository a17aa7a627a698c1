/** Runs wait in libuv's thread pool, of 4 threads by default: fewer than batches that may be in flight. */
const POOL_SIZE = 16;

/**
 * glibc gives each thread a heap of its own by default, up to 8 for each core. Sessions come and go on any thread of the
 * pool, and what they leave free in one heap serves no other: after 1000 reloads of ResNet-20 in fp32 a process held
 * 242 MB, with two heaps 151.
 */
const HEAPS = 2;

/** The environment of a worker process: the server's own, and what the process must have from its start. */
export function workerEnvironment(): Record<string, string | undefined> {
  return {
    UV_THREADPOOL_SIZE: String(POOL_SIZE),
    MALLOC_ARENA_MAX: String(HEAPS),
    ...process.env,
  };
}
