import { LcqError } from '../errors.js';
import type { ModelSession, Tensor, TensorSpec } from '../runtime/session.js';
import { median } from './trace.js';

/** One entrant of a race; all run on the same batch size. */
export interface Entrant {
  readonly session: ModelSession;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

export interface RaceResult {
  /** Milliseconds of one run. */
  readonly median: number;
  readonly least: number;
  /** Milliseconds of processor time, of all threads: what other processes take is not in it. The median. */
  readonly processor: number;
}

const WARM_UP_ROUNDS = 2;

/**
 * Times entrants in turns, one run each a round, so that whatever else the machine does and however its clock varies
 * strikes all of them alike.
 * @returns in the order of the entrants
 */
export async function race(entrants: readonly Entrant[], rounds: number): Promise<RaceResult[]> {
  const samples = entrants.map(() => ({ wall: [] as number[], processor: [] as number[] }));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const [i, { session, feeds }] of entrants.entries()) {
      const usage = process.cpuUsage();
      const started = performance.now();
      await session.run(feeds);
      if (round < 0) continue;
      samples[i].wall.push(performance.now() - started);
      const { user, system } = process.cpuUsage(usage);
      samples[i].processor.push((user + system) / 1000);
    }
  }
  return samples.map(({ wall, processor }) => {
    return { median: median(wall), least: Math.min(...wall), processor: median(processor) };
  });
}

/** Bytes and numbers of no meaning for every input; a free first axis is the batch, other free axes are 1. */
export function arbitraryFeeds(
  inputs: readonly TensorSpec[],
  batch: number,
): Record<string, Tensor> {
  const feeds = inputs.map(({ name, datatype, shape }) => {
    const sizes = shape.map((size, axis) => (size >= 0 ? size : axis === 0 ? batch : 1));
    const length = sizes.reduce((product, size) => product * size, 1);
    return [name, { datatype, shape: sizes, data: arbitraryElements(datatype, length) }];
  });
  return Object.fromEntries(feeds);
}

function arbitraryElements(datatype: TensorSpec['datatype'], length: number): Tensor['data'] {
  const at = (_: unknown, i: number) => (Math.imul(i, 2654435761) >>> 13) % 251;
  switch (datatype) {
    case 'UINT8':
      return Uint8Array.from({ length }, at);
    case 'FP32':
      return Float32Array.from({ length }, (_, i) => at(_, i) / 64 - 2);
    default:
      throw new LcqError('UNSUPPORTED', `inputs of ${datatype} cannot be timed`);
  }
}
