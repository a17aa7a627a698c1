/**
 * A process that runs a model without our server: raw-session-process.js MODEL THREADS. Says the port of a bare gRPC server
 * in front of it; asked for batches of a size, it says how many ms each run took.
 */
import { arbitraryFeeds } from '../../src/benchmark/race.js';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import { serveBare } from './bare-server.js';

export interface Runs {
  /** Of each, in ms. */
  readonly times: readonly number[];
  /** Processor time of all together, in ms. */
  readonly cpu: number;
}

export interface RunRequest {
  readonly batch: number;
  /** Runs follow each other for so long; one at least. */
  readonly ms: number;
}

/** The threads of a session that has run would spin on, on the cores of the server that is timed next. */
const config = { 'session.force_spinning_stop': '1' };

const [model, threads] = process.argv.slice(2);
const session = await createLcqSession(model, { intraOpThreads: Number(threads), config });
process.on('message', async ({ batch, ms }: RunRequest) => {
  const feeds = arbitraryFeeds(session.inputs, batch);
  const times: number[] = [];
  const before = process.cpuUsage();
  const end = performance.now() + ms;
  do {
    const start = performance.now();
    await session.run(feeds);
    times.push(performance.now() - start);
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  const runs: Runs = { times, cpu: (user + system) / 1000 };
  process.send?.(runs);
});
process.on('disconnect', () => process.exit());
process.send?.(await serveBare(session));
