/**
 * A server whose colour model opens when its parent says so: `node slow-start.js FLAGS`, settings as JSON. The parent is
 * sent `opening`, and has to send a message.
 */
import { once } from 'node:events';
import { loadConfig } from '../../src/config/load.js';
import { serve } from '../../src/main.js';
import { colourSession } from '../serving/colour-model.js';

const flags = JSON.parse(process.argv[2]);
await serve(loadConfig({ environment: {}, flags }), {
  async openSession() {
    process.send?.('opening');
    await once(process, 'message');
    return colourSession();
  },
});
