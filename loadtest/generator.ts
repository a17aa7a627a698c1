import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { arrivals, durationOf, type Phase } from './arrivals.js';
import { seededRandom } from './random.js';
import type { Recorder } from './recorder.js';
import type { Sender } from './sender.js';

export interface Load {
  /** The warm-up first. */
  readonly phases: readonly Phase[];
  readonly warmUpMs: number;
  /** How long the last replies are waited for. */
  readonly replyTimeoutMs: number;
  readonly seed: number;
  /** The share of the arrivals of each sender, > 0. */
  readonly weights: readonly number[];
  /** Waits the last millisecond before each arrival awake: only on a core that nobody else needs. */
  readonly spins: boolean;
}

/** Timers are late by up to this, in ms; the rest is waited awake. */
const TIMER_SLACK_MS = 1.2;
/** Late arrivals are sent in one go for this long at most, in ms: replies must be read too. */
const BURST_MS = 1;
/** Between two looks whether the last replies are there. */
const POLL_MS = 20;

/**
 * Sends a request at each arrival, whatever has become of those before it, and counts each reply from the time that
 * its request was due: a server that stalls is not spared the requests that it held up.
 */
export async function openLoop(
  load: Load,
  senders: readonly Sender[],
  recorder: Recorder,
): Promise<void> {
  const random = seededRandom(load.seed);
  const pick = weighted(load.weights, random);
  const waiting = new Set<{ stream: number; dueAt: number }>();
  const start = performance.now() + load.warmUpMs;
  const send = (dueAt: number, turn: number) => {
    const request = { stream: pick(), dueAt };
    waiting.add(request);
    recorder.sent(dueAt, performance.now() - start - dueAt);
    void senders[request.stream].send(turn).then((code) => {
      if (!waiting.delete(request)) return;
      recorder.finished({ ...request, code, latencyMs: performance.now() - start - dueAt });
    });
  };
  let turn = 0;
  let yieldedAt = performance.now();
  for (const at of arrivals(load.phases, random)) {
    const dueAt = at - load.warmUpMs;
    if (performance.now() - yieldedAt > BURST_MS || start + dueAt > performance.now()) {
      await until(start + dueAt, load.spins);
      yieldedAt = performance.now();
    }
    send(dueAt, turn);
    turn += 1;
  }
  await until(start + durationOf(load.phases) - load.warmUpMs, false);
  const giveUpAt = performance.now() + load.replyTimeoutMs;
  while (waiting.size > 0 && performance.now() < giveUpAt) await sleep(POLL_MS);
  recorder.gaveUp(waiting, load.replyTimeoutMs);
  waiting.clear();
}

/**
 * Keeps `callers` requests open all the time: what a server can do, and nothing about its latency. For as long as the
 * phases of `load` last.
 */
export async function closedLoop(
  load: Load,
  callers: number,
  senders: readonly Sender[],
  recorder: Recorder,
): Promise<void> {
  const pick = weighted(load.weights, seededRandom(load.seed));
  const start = performance.now() + load.warmUpMs;
  const end = durationOf(load.phases) - load.warmUpMs;
  let turn = 0;
  const call = async () => {
    for (let now = performance.now() - start; now < end; now = performance.now() - start) {
      const stream = pick();
      turn += 1;
      recorder.sent(now, 0);
      const code = await senders[stream].send(turn);
      const latencyMs = performance.now() - start - now;
      recorder.finished({ stream, dueAt: now, code, latencyMs });
      // Who is refused at once would else ask again without end.
      if (code !== 'OK') await sleep(POLL_MS);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
}

/** Waits until a time on the monotonic clock, and lets replies be read in any case. */
async function until(time: number, spins: boolean): Promise<void> {
  const slack = spins ? TIMER_SLACK_MS : 0;
  const remaining = time - performance.now();
  if (remaining > slack) await sleep(remaining - slack);
  else await setImmediate();
  while (performance.now() < time) await setImmediate();
}

/** Picks indices in proportion to their weights. */
function weighted(weights: readonly number[], random: () => number): () => number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return () => {
    let at = random() * total;
    const index = weights.findIndex((weight) => {
      at -= weight;
      return at < 0;
    });
    return index < 0 ? weights.length - 1 : index;
  };
}
