import { grpcSender } from '../grpc-sender.js';
import { LatencyHistogram } from '../latency-histogram.js';
import { type LoadOptions, runLoad } from '../load-run.js';
import { contentsOf } from '../payload.js';
import { ProcessSampler } from '../process-sampler.js';
import { parseScenario, type Scenario } from '../scenario.js';
import type { ServerProcess } from '../server-process.js';
import type { RawSession } from './raw-session.js';
import type { ServedModel } from './synthetic-repository.js';

/** Medians in ms. */
export interface Overhead {
  readonly served: number;
  readonly raw: number;
  readonly overhead: number;
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

/** A lone gRPC client and the session itself, in turns of a few requests: neither finds the caches as the other left them. */
export async function measureOverhead(
  model: ServedModel,
  server: ServerProcess,
  session: RawSession,
  requests: number,
): Promise<Overhead> {
  const { streams, seed } = scenarioOf(model);
  const contents = await contentsOf(streams[0].payload, seed);
  const sender = await grpcSender(server.target.grpc, streams[0], contents);
  const served = new LatencyHistogram();
  const raw = new LatencyHistogram();
  const end = performance.now() + COMPILED_MS;
  for (let i = 0; performance.now() < end; i++) await sender.send(i);
  for (let done = 0; done < requests; done += TURN) {
    for (let i = 0; i < WARM_UP + TURN; i++) {
      const start = performance.now();
      await sender.send(i);
      if (i >= WARM_UP) served.record(performance.now() - start);
    }
    for (let i = 0; i < WARM_UP + TURN; i++) {
      const { times } = await session.run({ batch: 1, ms: 0 });
      if (i >= WARM_UP) raw.record(times[0]);
    }
  }
  await sender.close();
  const [p50, rawP50] = [served.percentile(50), raw.percentile(50)];
  return { served: p50, raw: rawP50, overhead: p50 - rawP50 };
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
