import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LcqError } from '../errors.js';
import type { WeightBits } from '../lcq/bit-packing.js';
import type { Model } from '../onnx/graph.js';
import { encodeModel } from '../onnx/serde.js';
import { createLcqSession, type LcqSession } from '../runtime/lcq-session.js';
import { lcqModel } from './lcq-model.js';
import { peakMemory } from './memory.js';
import { macsOf, type Network } from './network.js';
import { arbitraryFeeds, race } from './race.js';
import { standardModel } from './standard-model.js';
import { traceNodes } from './trace.js';

/** The threads of a session that has run would spin on, on the cores of the one that is timed next. */
const NO_SPINNING_AFTER_A_RUN = { 'session.force_spinning_stop': '1' };

/** The forms of a network that are compared. */
export const FORMS = ['fp32', 'int8', 'lcq2', 'lcq3', 'lcq4', 'lcq8'] as const;
export type Form = (typeof FORMS)[number];

export interface ContestOptions {
  readonly threads: readonly number[];
  readonly batches: readonly number[];
  readonly forms: readonly Form[];
  readonly rounds: number;
  /** An instruction set of listKernels(); '' for the best. */
  readonly kernels: string;
}

/** Figures of one form of one network. */
export interface ContestRow {
  readonly network: string;
  readonly form: Form;
  readonly threads: number;
  readonly batch: number;
  /** Milliseconds of an image. */
  readonly median: number;
  readonly least: number;
  readonly processor: number;
  /** Speed over the other forms in the same rounds, by medians. */
  readonly overFp32: number | undefined;
  readonly overInt8: number | undefined;
  /** 10^9 multiply-accumulates a second. */
  readonly gmacs: number;
  /** How many nodes each kernel has. */
  readonly kernels: Readonly<Record<string, number>>;
}

export interface MemoryRow {
  readonly network: string;
  readonly form: Form;
  readonly batch: number;
  readonly fileMegabytes: number;
  /** Above a process that loads no model. */
  readonly peakMegabytes: number;
}

/**
 * Writes all forms of a network to a temporary folder, and times them against each other and by their memory.
 * @throws LcqError INTERNAL if onnxruntime does not run the int8 form by its integer kernels
 */
export async function contest(
  network: Network,
  options: ContestOptions,
): Promise<{ rows: ContestRow[]; memory: MemoryRow[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-bench-'));
  try {
    const files = new Map<Form, { path: string; bytes: number }>();
    for (const form of options.forms) {
      const path = join(folder, `${form}.onnx`);
      const bytes = encodeModel(writeForm(network, form));
      await writeFile(path, bytes);
      files.set(form, { path, bytes: bytes.length });
    }
    const int8 = files.get('int8');
    if (int8) await checkIntegerKernels(network, int8.path);
    const memory = await measureMemory(network.name, files, options.batches[0]);
    const rows = [];
    for (const threads of options.threads) {
      rows.push(...(await measureSpeed(network, files, threads, options)));
    }
    return { rows, memory };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function writeForm(network: Network, form: Form): Model {
  if (form === 'fp32' || form === 'int8') return standardModel(network, form);
  return lcqModel(network, Number(form.slice(3)) as WeightBits);
}

/** That the baseline is the one that it claims to be. */
async function checkIntegerKernels({ name, layers }: Network, path: string): Promise<void> {
  const session = await createLcqSession(path);
  const feeds = arbitraryFeeds(session.inputs, 1);
  await session.dispose();
  const nodes = await traceNodes(path, feeds, 1, {});
  const count = (op: string) => nodes.filter((node) => node.op === op).length;
  const convolutions = layers.filter(({ kind }) => kind === 'convolution').length;
  if (count('QLinearConv') !== convolutions || count('Conv') !== 0) {
    const found = `${count('QLinearConv')} QLinearConv and ${count('Conv')} Conv`;
    throw new LcqError('INTERNAL', `${name} int8 runs as ${found}, not ${convolutions} and 0`);
  }
}

type Files = ReadonlyMap<Form, { readonly path: string; readonly bytes: number }>;

async function measureMemory(network: string, files: Files, batch: number): Promise<MemoryRow[]> {
  const idle = await peakMemory('', batch);
  const rows = [];
  for (const [form, { path, bytes }] of files) {
    const peakMegabytes = (await peakMemory(path, batch)) - idle;
    rows.push({ network, form, batch, fileMegabytes: bytes / 2 ** 20, peakMegabytes });
  }
  return rows;
}

async function measureSpeed(
  network: Network,
  files: Files,
  threads: number,
  { batches, rounds, kernels }: ContestOptions,
): Promise<ContestRow[]> {
  const sessions: [Form, LcqSession][] = [];
  for (const [form, { path }] of files) {
    const options = { intraOpThreads: threads, kernels, config: NO_SPINNING_AFTER_A_RUN };
    sessions.push([form, await createLcqSession(path, options)]);
  }
  const rows: ContestRow[] = [];
  for (const batch of batches) {
    const entrants = sessions.map(([, session]) => {
      return { session, feeds: arbitraryFeeds(session.inputs, batch) };
    });
    const results = await race(entrants, rounds);
    const medianOf = (form: Form) =>
      results[sessions.findIndex(([other]) => other === form)]?.median;
    for (const [i, [form, session]] of sessions.entries()) {
      const { median, least, processor } = results[i];
      const over = (other: Form) => {
        const time = medianOf(other);
        return time === undefined ? undefined : time / median;
      };
      rows.push({
        network: network.name,
        form,
        threads,
        batch,
        median: median / batch,
        least: least / batch,
        processor: processor / batch,
        overFp32: over('fp32'),
        overInt8: over('int8'),
        gmacs: (macsOf(network) * batch) / median / 1e6,
        kernels: countKernels(session),
      });
    }
  }
  for (const [, session] of sessions) await session.dispose();
  return rows;
}

function countKernels({ kernels }: LcqSession): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kernel } of kernels) counts[kernel] = (counts[kernel] ?? 0) + 1;
  return counts;
}
