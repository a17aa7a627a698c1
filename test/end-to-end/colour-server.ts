/**
 * The server as a process of its own, with the colour model: `node colour-server.js REPOSITORY
 * [SETTINGS]`, more of them as JSON. Says its ports on the first line of standard output. A parent with a channel to it decides when its batches end: it is sent `running` as
 * each starts, once the model is warm, and has to send a message to let all go on.
 */
import { once } from 'node:events';
import { loadConfig } from '../../src/config/load.js';
import { serve } from '../../src/main.js';
import { colourSession } from '../serving/colour-model.js';

const WARM_UPS = 2;
let runs = 0;

async function waitForParent(): Promise<void> {
  runs += 1;
  if (runs <= WARM_UPS || process.send === undefined) return;
  process.send('running');
  await once(process, 'message');
}

const [modelRepository, settings = '{}'] = process.argv.slice(2);
const ports = { httpPort: 0, grpcPort: 0, metricsPort: 0 };
const flags = { host: '127.0.0.1', ...ports, modelRepository, logLevel: 'warn' };
await serve(loadConfig({ environment: {}, flags: { ...flags, ...JSON.parse(settings) } }), {
  openSession: async () => colourSession(waitForParent),
});
