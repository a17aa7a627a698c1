import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { colourSession } from '../serving/colour-model.js';
import { rest, solidImage, withServer } from './server-under-test.js';

/** A colour session whose runs all wait until the gate opens; the warm-up's do not. */
function gatedSession() {
  let open: () => void = () => {};
  let gate: Promise<void> = Promise.resolve();
  const session = colourSession(() => gate);
  return {
    session,
    close: () => {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    open: () => open(),
  };
}

/** The status of a reply to a request whose body is never sent whole. */
async function statusBeforeBody(url: string): Promise<number | undefined> {
  const request = http.request(url, { method: 'POST', headers: { 'content-length': 1_000_000 } });
  request.write('the beginning');
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  request.destroy();
  return response.statusCode;
}

/** Waits until the server's queue has this depth. */
async function depthReaches(depth: number, metrics: () => Promise<string>): Promise<void> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const found = /^lcq_queue_depth\{.*\} (\d+)$/m.exec(await metrics());
    if (Number(found?.[1]) === depth) return;
    assert.ok(performance.now() < deadline, `queue depth ${found?.[1]}, not ${depth}`);
  }
}

test('a full queue refuses at once, on both transports, and forgets nobody', async () => {
  const { session, close, open } = gatedSession();
  await withServer(
    async ({ url, vision, metrics }) => {
      const image = await solidImage([0, 255, 0]);
      const classify = () => rest(`${url}/v1/models/colours:classify`, image);
      close();
      const running = classify();
      while (session.batches.length === 0) await depthReaches(0, metrics);
      const waiting = [classify(), classify()];
      await depthReaches(2, metrics);
      const refused = await classify();
      assert.deepEqual([refused.status, refused.json.code], [429, 'RESOURCE_EXHAUSTED']);
      assert.equal(refused.json.error, 'Exceeds maximum queue size');
      await assert.rejects(vision.call('Classify', { model: 'colours', image }), {
        code: grpc.status.RESOURCE_EXHAUSTED,
        details: 'Exceeds maximum queue size',
      });
      assert.equal(await statusBeforeBody(`${url}/v1/models/colours:classify`), 429);
      assert.equal(await statusBeforeBody(`${url}/v2/models/colours/infer`), 429);
      open();
      for (const reply of await Promise.all([running, ...waiting])) {
        assert.equal(reply.json.predictions[0].label, 'green');
      }
    },
    { queueCapacity: 2 },
    session,
  );
});

test('callers who went away are not computed, on either transport', async () => {
  const { session, close, open } = gatedSession();
  await withServer(
    async ({ url, vision, metrics }) => {
      const image = await solidImage([0, 255, 0]);
      close();
      const running = rest(`${url}/v1/models/colours:classify`, image);
      while (session.batches.length === 0) await depthReaches(0, metrics);
      const gone = new AbortController();
      const request = { model: 'colours', image };
      const overRest = rest(`${url}/v1/models/colours:classify`, image, { signal: gone.signal });
      const late = vision.call('Classify', request, { deadline: Date.now() + 60_000 });
      const cancelled = new Promise((resolve) => {
        const call = vision.start('Classify', request, {}, (error) => resolve(error?.code));
        gone.signal.addEventListener('abort', () => call.cancel());
      });
      await depthReaches(3, metrics);
      gone.abort();
      await assert.rejects(overRest, { name: 'AbortError' });
      assert.equal(await cancelled, grpc.status.CANCELLED);
      await depthReaches(1, metrics);
      open();
      assert.equal((await running).status, 200);
      assert.equal((await late).predictions[0].label, 'green');
      assert.deepEqual(session.batches, [1, 1]);
      assert.match(await metrics(), /lcq_requests_total\{.*protocol="rest".*code="CANCELLED"\} 1/);
    },
    {},
    session,
  );
});

test('a deadline that passes in the queue ends the call, and nothing is run for it', async () => {
  const { session, close, open } = gatedSession();
  await withServer(
    async ({ vision, metrics }) => {
      const image = await solidImage([0, 255, 0]);
      close();
      const running = vision.call('Classify', { model: 'colours', image });
      while (session.batches.length === 0) await depthReaches(0, metrics);
      const late = vision.call(
        'Classify',
        { model: 'colours', image },
        { deadline: Date.now() + 150 },
      );
      await assert.rejects(late, { code: grpc.status.DEADLINE_EXCEEDED });
      await depthReaches(0, metrics);
      open();
      await running;
      assert.deepEqual(session.batches, [1]);
    },
    {},
    session,
  );
});
