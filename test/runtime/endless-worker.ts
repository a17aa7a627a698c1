// Runs a slow model over and over until it is terminated; with the argument `exit`, exits in the middle of a run.
import { parentPort } from 'node:worker_threads';
import { openSlowSession, slowFeeds } from './slow-model.js';

const session = await openSlowSession();

async function runForever(): Promise<never> {
  for (;;) await session.run(slowFeeds);
}

const runs = [runForever(), runForever()];
if (process.argv[2] === 'exit') setTimeout(() => process.exit(0), 20);
parentPort?.postMessage('running');
await Promise.all(runs);
