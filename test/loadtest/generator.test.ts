import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closedLoop, type Load, openLoop } from '../../loadtest/generator.js';
import { LatencyHistogram } from '../../loadtest/latency-histogram.js';
import { Recorder } from '../../loadtest/recorder.js';
import type { Sender } from '../../loadtest/sender.js';

const LOAD: Load = {
  phases: [{ seconds: 0.5, rate: 200 }],
  warmUpMs: 0,
  replyTimeoutMs: 2000,
  seed: 1,
  weights: [1],
  spins: false,
};

const sender = (send: Sender['send']): Sender => ({ send, close: async () => {} });

async function outcomes(load: Load, senders: readonly Sender[], durationMs = 500) {
  const recorder = new Recorder(
    senders.map(() => 50),
    durationMs,
    1000,
  );
  await openLoop(load, senders, recorder);
  const { streams, lag, good, intervals } = recorder.recording();
  return {
    good,
    intervals,
    lag: LatencyHistogram.decode(lag),
    streams: streams.map((codes) =>
      Object.fromEntries(
        Object.entries(codes).map(([code, text]) => [code, LatencyHistogram.decode(text)]),
      ),
    ),
  };
}

test('a server that stalls is charged for every request that came meanwhile', async () => {
  // All that come within 400 ms of the first are answered then.
  let start: number | undefined;
  let open = 0;
  let most = 0;
  const stalled = sender(async () => {
    open += 1;
    most = Math.max(most, open);
    start ??= performance.now();
    await sleep(Math.max(0, start + 400 - performance.now()));
    open -= 1;
    return 'OK';
  });
  const { streams, good } = await outcomes(LOAD, [stalled]);
  const { OK } = streams[0];
  assert.ok(most > 40, `${most} open at once`);
  // Uniform over the stall: a closed loop would have seen one slow request.
  assert.ok(OK.percentile(50) > 60, `p50 ${OK.percentile(50)}`);
  assert.ok(OK.max > 350, `max ${OK.max}`);
  assert.ok(good[0] < OK.count / 2);
});

test('a generator that is held up says so, and still counts from the scheduled time', async () => {
  let sent = 0;
  const blocking = sender(async () => {
    sent += 1;
    const until = performance.now() + (sent === 10 ? 200 : 0);
    while (performance.now() < until);
    return 'OK';
  });
  const { lag, streams } = await outcomes(LOAD, [blocking]);
  assert.ok(lag.max > 150, `lag ${lag.max}`);
  assert.ok(streams[0].OK.max > 150, `latency ${streams[0].OK.max}`);
});

test('outcomes are told apart by stream and code, and the warm-up is left out', async () => {
  const load = {
    ...LOAD,
    phases: [{ seconds: 1, rate: 400 }],
    warmUpMs: 500,
    weights: [3, 1],
  };
  const fine = sender(async () => 'OK');
  const refusing = sender(async () => 'RESOURCE_EXHAUSTED');
  const { streams, good, intervals } = await outcomes(load, [fine, refusing]);
  const [ok, refused] = [streams[0].OK.count, streams[1].RESOURCE_EXHAUSTED.count];
  assert.ok(Math.abs(ok + refused - 200) < 60, `${ok} + ${refused}`);
  assert.ok(ok > 2 * refused, `${ok} to ${refused}`);
  assert.deepEqual(Object.keys(streams[0]), ['OK']);
  assert.equal(good[1], 0);
  assert.equal(intervals[0].sent, ok + refused);
  assert.equal(intervals[0].others.RESOURCE_EXHAUSTED, refused);
});

test('a request that is never answered is counted as such', async () => {
  const silent = sender(() => new Promise(() => {}));
  const { streams } = await outcomes({ ...LOAD, replyTimeoutMs: 50 }, [silent]);
  assert.deepEqual(Object.keys(streams[0]), ['NO_REPLY']);
  assert.ok(streams[0].NO_REPLY.count > 50);
});

test('a closed load keeps as many requests open as it has callers', async () => {
  let open = 0;
  let most = 0;
  const steady = sender(async () => {
    open += 1;
    most = Math.max(most, open);
    await sleep(5);
    open -= 1;
    return 'OK';
  });
  const recorder = new Recorder([50], 300, 1000);
  await closedLoop({ ...LOAD, phases: [{ seconds: 0.3, rate: 1 }] }, 4, [steady], recorder);
  assert.equal(most, 4);
  assert.equal(open, 0);
});
