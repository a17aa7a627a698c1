/**
 * The server as a process of its own, with the colour model whose every batch takes 300 ms: `node colour-server.js
 * REPOSITORY`. Says its ports on the first line of standard output.
 */
import { setTimeout } from 'node:timers/promises';
import { loadConfig } from '../../src/config/load.js';
import { serve } from '../../src/main.js';
import { colourSession } from '../serving/colour-model.js';

const [modelRepository] = process.argv.slice(2);
const flags = { host: '127.0.0.1', httpPort: 0, grpcPort: 0, metricsPort: 0, modelRepository };
await serve(loadConfig({ environment: {}, flags: { ...flags, logLevel: 'warn' } }), {
  openSession: async () => colourSession(() => setTimeout(300)),
});
