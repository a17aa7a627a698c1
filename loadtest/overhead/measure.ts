import { grpcSender } from '../grpc-sender.js';
import { LatencyHistogram } from '../latency-histogram.js';
import { type LoadOptions, runLoad } from '../load-run.js';
import { contentsOf } from '../payload.js';
import { ProcessSampler } from '../process-sampler.js';
import { parseScenario, type Scenario } from '../scenario.js';
import type { Sender } from '../sender.js';
import type { ServerProcess } from '../server-process.js';
import type { RawSession } from './raw-session.js';
import type { ServedModel } from './synthetic-repository.js';

/** Medians in ms. */
export interface Overhead {
  readonly served: number;
  readonly raw: number;
  /** Over `raw`. */
  readonly overhead: number;
  /** The same of a bare gRPC server. */
  readonly bareOverhead: number;
}

/** Rates in images a second. */
export interface Goodput {
  readonly served: number;
  readonly raw: number;
  readonly share: number;
  /** Processor time for an image in ms, of server and workers and of the session: other load on the machine is not in it. */
  readonly servedCpu: number;
  readonly rawCpu: number;
}

/** Until the server's code is compiled. */
const COMPILED_MS = 5000;
/** Requests of a turn, and those before them that do not count. */
const TURN = 20;
const WARM_UP = 3;
const ROUND_MS = 3000;
const CALLERS = 64;

/**
 * A lone gRPC client, the same before a bare server, and the session itself, in turns of a few requests: none finds the
 * caches as the others left them.
 */
export async function measureOverhead(
  model: ServedModel,
  server: ServerProcess,
  session: RawSession,
  requests: number,
): Promise<Overhead> {
  const { streams, seed } = scenarioOf(model);
  const contents = await contentsOf(streams[0].payload, seed);
  const ours = await grpcSender(server.target.grpc, streams[0], contents);
  const bare = await grpcSender(session.bare, streams[0], contents);
  const timed = async (sender: Sender, turn: number) => {
    const start = performance.now();
    await sender.send(turn);
    return performance.now() - start;
  };
  const ways = [
    (turn: number) => timed(ours, turn),
    (turn: number) => timed(bare, turn),
    async () => (await session.run({ batch: 1, ms: 0 })).times[0],
  ];
  for (const way of ways) {
    const end = performance.now() + COMPILED_MS;
    for (let i = 0; performance.now() < end; i++) await way(i);
  }
  const histograms = ways.map(() => new LatencyHistogram());
  for (let done = 0; done < requests; done += TURN) {
    for (const [i, way] of ways.entries()) {
      for (let j = 0; j < WARM_UP; j++) await way(j);
      for (let j = 0; j < TURN; j++) histograms[i].record(await way(j));
    }
  }
  await Promise.all([ours.close(), bare.close()]);
  const [served, bareServed, raw] = histograms.map((each) => each.percentile(50));
  return { served, raw, overhead: served - raw, bareOverhead: bareServed - raw };
}

/** 64 callers of the service, and batches of the session one after the other, in turns; the best round of each. */
export async function measureGoodput(
  model: ServedModel,
  server: ServerProcess,
  session: RawSession,
  options: LoadOptions & { readonly batch: number; readonly rounds: number },
): Promise<Goodput> {
  const { batch, rounds } = options;
  let served = 0;
  let raw = 0;
  let servedCpu = Infinity;
  let rawCpu = Infinity;
  for (let round = 0; round < rounds; round++) {
    const { times, cpu } = await session.run({ batch, ms: ROUND_MS });
    rawCpu = Math.min(rawCpu, cpu / times.length / batch);
    raw = Math.max(raw, (batch * 1000 * times.length) / sum(times));
    const sampler = new ProcessSampler([server.pid]);
    const scenario = scenarioOf(model);
    const phases = [{ seconds: ROUND_MS / 1000, rate: 1 }];
    const { ok } = await runLoad(scenario, phases, { ...options, callers: CALLERS });
    const { cores } = sampler.stop(scenario.warmUpSeconds);
    served = Math.max(served, ok);
    servedCpu = Math.min(servedCpu, (cores / ok) * 1000);
  }
  return { served, raw, share: served / raw, servedCpu, rawCpu };
}

function scenarioOf({ name, side }: ServedModel): Scenario {
  const payload = { kind: 'tensor', shape: [1, side, side, 3] };
  const stream = { name, call: 'grpc-infer', model: name, payload };
  const phases = [{ seconds: 1, rate: 1 }];
  return parseScenario({ description: '', warmUpSeconds: 1, phases, streams: [stream] }, name);
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
