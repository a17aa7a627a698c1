/** Sets up what is missing, then serves in this same process: a signal to it reaches the server. */
import { setUp } from './setup/steps.mjs';

await setUp();
process.argv.splice(2, 0, 'serve');
await import('../dist/src/cli/lcq.js');
