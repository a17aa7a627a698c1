import type { Graph } from '../../onnx/graph.js';
import { Random } from '../../training/random.js';
import type { Observation } from '../calibrate.js';
import { type Activations, NetworkRunner } from './network-runner.js';

/** Elements kept of each value in all. */
const SAMPLES = 40_000;

/** Runs a graph on calibration images and observes some of its values. */
export async function observeValues(
  graph: Graph,
  names: readonly string[],
  images: Activations,
  settings: { readonly batch: number; readonly threads: number; readonly seed: number },
): Promise<Map<string, Observation>> {
  const [{ name }] = graph.inputs;
  const inner = names.filter((value) => value !== name);
  const runner = await NetworkRunner.create(graph, { name, shape: images.shape }, inner, settings);
  const random = new Random(settings.seed);
  const perBatch = Math.ceil((SAMPLES * settings.batch) / images.count);
  const largest = new Map(names.map((value) => [value, 0]));
  const samples = new Map<string, number[]>(names.map((value) => [value, []]));
  const look = (value: string, elements: Float32Array) => {
    let most = largest.get(value) ?? 0;
    for (const element of elements) most = Math.max(most, Math.abs(element));
    largest.set(value, most);
    const sample = samples.get(value) as number[];
    for (let i = 0; i < perBatch; i++) sample.push(elements[random.integer(elements.length)]);
  };
  try {
    await runner.forEachBatch(images, (values) => {
      for (const [i, value] of inner.entries()) look(value, values[i]);
    });
  } finally {
    await runner.release();
  }
  if (names.includes(name)) look(name, images.data);
  return new Map(
    names.map((value) => [
      value,
      {
        largest: largest.get(value) as number,
        sample: Float32Array.from(samples.get(value) as number[]),
      },
    ]),
  );
}
