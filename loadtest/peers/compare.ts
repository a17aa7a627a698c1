import type { Phase } from '../arrivals.js';
import { type Generators, runLoad } from '../load-run.js';
import type { Cores } from '../pinned-process.js';
import { ProcessSampler } from '../process-sampler.js';
import { highestRate } from '../rate-search.js';
import { parseScenario } from '../scenario.js';
import type { Contender, Running } from './contender.js';

/** A picture and the index of its class. */
export interface LabelledPicture {
  readonly bytes: Buffer;
  readonly label: number;
}

export interface Comparison {
  readonly generators: Generators;
  readonly serverCores: Cores;
  /** Pictures that are sent: a folder. */
  readonly folder: string;
  readonly pictures: readonly LabelledPicture[];
  readonly goodWithinMs: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly searchFrom: number;
}

export interface ContenderResult {
  readonly name: string;
  /** Share of the pictures, from 0 to 1. */
  readonly accuracy: number;
  /** Of each round: requests a second with p99 within the bound, and whether the generator was the limit. */
  readonly rates: readonly number[];
  readonly isGeneratorLimited: boolean;
  /** Greatest resident memory of all its processes, in MB. */
  readonly rss: number;
}

/** Measures all in turns, one after the other in each round: what else the machine does strikes all of them alike. */
export async function compare(
  contenders: readonly Contender[],
  comparison: Comparison,
): Promise<ContenderResult[]> {
  const results = contenders.map(({ name }) => {
    return { name, accuracy: 0, rates: [] as number[], isGeneratorLimited: false, rss: 0 };
  });
  for (let round = 0; round < comparison.rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const result = results[i];
      process.stderr.write(`peers: round ${round + 1}, ${contender.name}\n`);
      const running = await contender.start(comparison.serverCores);
      try {
        if (round === 0) result.accuracy = await accuracyOf(running, comparison.pictures);
        const { rate, isGeneratorLimited, rss } = await rateOf(running, comparison);
        result.rates.push(rate);
        result.isGeneratorLimited ||= isGeneratorLimited;
        result.rss = Math.max(result.rss, rss);
      } finally {
        await running.stop();
      }
    }
  }
  return results;
}

async function accuracyOf(
  { target, path, field }: Running,
  pictures: readonly LabelledPicture[],
): Promise<number> {
  let right = 0;
  for (const { bytes, label } of pictures) {
    const form = new FormData();
    form.append(field, new Blob([Uint8Array.from(bytes)]), 'picture');
    const response = await fetch(`${target}${path}`, { method: 'POST', body: form });
    const { predictions } = (await response.json()) as { predictions: { index: number }[] };
    if (predictions[0].index === label) right += 1;
  }
  return right / pictures.length;
}

/** Until compiled code and caches are what they are after hours. */
const WARM_UP: Phase = { seconds: 15, rate: 1 };
const WARM_UP_CALLERS = 2;

async function rateOf({ pid, target, path, field }: Running, comparison: Comparison) {
  const { folder, goodWithinMs, seconds, searchFrom: from, generators } = comparison;
  const stream = {
    name: 'pictures',
    call: 'rest-classify',
    model: 'any',
    path,
    form: field,
    payload: { kind: 'files', folder },
  };
  const scenario = parseScenario(
    {
      description: 'pictures',
      warmUpSeconds: 3,
      goodWithinMs,
      maxLagMs: goodWithinMs / 10,
      phases: [{ seconds, rate: from }],
      search: { from, seconds },
      streams: [stream],
    },
    'peers',
  );
  const sampler = new ProcessSampler([pid]);
  const load = { target: { rest: target, grpc: '' }, generators };
  await runLoad(scenario, [WARM_UP], { ...load, callers: WARM_UP_CALLERS });
  const search = await highestRate(scenario, load);
  return { ...search, rss: sampler.stop(0).peakRss };
}
