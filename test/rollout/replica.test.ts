import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replica } from './replica.js';

test('a replica that ended by itself has stopped, with its status', async () => {
  const ports = { http: 0, grpc: 0, metrics: 0 };
  // It refuses this setting.
  const replica = new Replica(ports, '/nowhere', { LCQ_THREADS: -1 });
  assert.equal(await replica.ended, 1);
  assert.equal(await replica.stop(), 1);
});
