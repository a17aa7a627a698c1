import { readFile, rename, writeFile } from 'node:fs/promises';
import { LcqError } from '../errors.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
import type { Graph, Model } from '../onnx/graph.js';
import { decodeModel, encodeModel } from '../onnx/serde.js';
import { floatsOf, parametersOf, withParameters } from './parameters.js';
import { momentumOf } from './step-graph.js';

/** A training run at one moment: enough to go on exactly where it stopped. */
export interface Checkpoint {
  /** The forward graph, its parameters as they are now. */
  readonly graph: Graph;
  /** Momenta by `momentum:NAME`; empty for a finished network. */
  readonly momenta: ReadonlyMap<string, Float32Array>;
  /** Optimisation steps done. */
  readonly step: number;
  readonly classes: readonly string[];
  /** The settings of the run, as JSON. */
  readonly settings: string;
}

/** Writes the checkpoint as one ONNX file. A kill at any moment leaves the old file or the new one, never half of one. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { graph } = checkpoint;
  const initializers = new Map(graph.initializers);
  for (const [name, floats] of checkpoint.momenta) {
    const data = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
    initializers.set(name, { dtype: 'float32', shape: [floats.length], data });
  }
  const model: Model = {
    irVersion: 8,
    producer: 'lcq-serving',
    opsets: { '': 18, [TRAINING_DOMAIN]: 1 },
    graph: { ...graph, initializers },
    functions: [],
    metadata: {
      'lcq.step': String(checkpoint.step),
      'lcq.classes': JSON.stringify(checkpoint.classes),
      'lcq.settings': checkpoint.settings,
    },
  };
  const partial = `${path}.partial`;
  await writeFile(partial, encodeModel(model));
  await rename(partial, path);
}

/** @throws LcqError NOT_FOUND or INVALID_ARGUMENT naming the file */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path).catch((cause) => {
    throw new LcqError('NOT_FOUND', `checkpoint '${path}' cannot be read`, { cause });
  });
  return checkpointOf(path, decodeModel(bytes));
}

/** Whether `writeCheckpoint` wrote a model. */
export function isCheckpoint({ metadata }: Model): boolean {
  return 'lcq.step' in metadata;
}

/** @throws LcqError INVALID_ARGUMENT naming the file that the model was read from */
export function checkpointOf(path: string, { graph, metadata }: Model): Checkpoint {
  const { 'lcq.step': step, 'lcq.classes': classes, 'lcq.settings': settings } = metadata;
  if (!step || !classes || !settings) {
    throw new LcqError('INVALID_ARGUMENT', `'${path}' is not a checkpoint of lcq train`);
  }
  const momenta = new Map<string, Float32Array>();
  for (const { name } of parametersOf(graph)) {
    const key = momentumOf(name);
    if (!graph.initializers.has(key)) continue;
    momenta.set(key, floatsOf(graph, key));
    graph.initializers.delete(key);
  }
  return { graph, momenta, step: Number(step), classes: JSON.parse(classes), settings };
}

/** The state that a step executor starts from. */
export function stateOf(checkpoint: Checkpoint): Map<string, Float32Array> {
  const state = new Map(checkpoint.momenta);
  for (const { name } of parametersOf(checkpoint.graph)) {
    state.set(name, floatsOf(checkpoint.graph, name));
  }
  return state;
}

/** The checkpoint after more steps, from the executor's state. */
export function advance(
  checkpoint: Checkpoint,
  state: ReadonlyMap<string, Float32Array>,
  step: number,
): Checkpoint {
  const names = parametersOf(checkpoint.graph).map((p) => p.name);
  const values = new Map(names.map((name) => [name, state.get(name) as Float32Array]));
  const momenta = new Map([...state].filter(([name]) => !values.has(name)));
  return { ...checkpoint, graph: withParameters(checkpoint.graph, values), momenta, step };
}
