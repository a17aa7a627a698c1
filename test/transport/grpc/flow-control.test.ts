import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import {
  CONNECTION_WINDOW,
  STREAM_WINDOW,
  widenFlowControl,
} from '../../../src/transport/grpc/flow-control.js';

test('clients may send as much as the windows say before they wait', async () => {
  const server = new Server({ 'grpc.max_concurrent_streams': 7 });
  widenFlowControl(server);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = connect(`http://127.0.0.1:${port}`);
  try {
    await once(client, 'remoteSettings');
    const { initialWindowSize, maxConcurrentStreams } = client.remoteSettings;
    assert.deepEqual([initialWindowSize, maxConcurrentStreams], [STREAM_WINDOW, 7]);
    // The server's word on the connection comes behind its settings, and before it answers a ping.
    await new Promise((resolve) => client.ping(resolve));
    assert.equal(client.state.remoteWindowSize, CONNECTION_WINDOW);
  } finally {
    client.destroy();
    server.forceShutdown();
  }
});
