import { GraphBuilder, type Value } from '../onnx/builder.js';
import type { Graph, Model } from '../onnx/graph.js';
import { lower } from '../training/autodiff.js';
import { ForwardExecutor } from '../training/executor.js';
import { type Images, pixelsOf } from '../training/images.js';
import { Random } from '../training/random.js';

export interface CalibrationSettings {
  /** Training images that are looked at. */
  readonly images: number;
  readonly batch: number;
  readonly seed: number;
  readonly threads: number;
}

/** Samples kept of each value and batch. */
const SAMPLES = 20_000;

/** What calibration saw of one value. */
export interface Observation {
  readonly largest: number;
  /** A random sample of its elements. */
  readonly sample: Float32Array;
}

/** Runs the forward graph on training images and observes some of its inner values. */
export async function observe(
  graph: Graph,
  names: readonly string[],
  images: Images,
  settings: CalibrationSettings,
): Promise<Map<string, Observation>> {
  const { batch, threads } = settings;
  const random = new Random(settings.seed);
  const order = random.permutation(images.count).subarray(0, settings.images);
  const model = withTaps(graph, names, [batch, images.height, images.width, 3]);
  const executor = await ForwardExecutor.create(model, threads);
  const largest = new Map(names.map((name) => [name, 0]));
  const samples = new Map<string, number[]>(names.map((name) => [name, []]));
  try {
    for (let from = 0; from + batch <= order.length; from += batch) {
      const pixels = pixelsOf(images, order.subarray(from, from + batch));
      const values = await executor.run(pixels);
      names.forEach((name, i) => {
        const value = values[`tap${i}`];
        largest.set(
          name,
          value.reduce((a, v) => Math.max(a, Math.abs(v)), largest.get(name) ?? 0),
        );
        const sample = samples.get(name) as number[];
        for (let s = 0; s < SAMPLES; s++) sample.push(value[random.integer(value.length)]);
      });
    }
  } finally {
    await executor.release();
  }
  return new Map(
    names.map((name) => [
      name,
      {
        largest: largest.get(name) as number,
        sample: Float32Array.from(samples.get(name) as number[]),
      },
    ]),
  );
}

function withTaps(graph: Graph, names: readonly string[], shape: readonly number[]): Model {
  const b = new GraphBuilder('calibration');
  const image = graph.inputs[0];
  const bindings = new Map([[image.name, b.input(image.name, shape, image.type.dtype)]]);
  const { values } = lower(b, graph, bindings, new Set(), false);
  names.forEach((name, i) => {
    b.output(`tap${i}`, values.get(name) as Value);
  });
  const opsets = { '': 18, 'com.microsoft': 1 };
  return {
    irVersion: 8,
    producer: 'lcq-serving',
    opsets,
    graph: b.graph,
    functions: [],
    metadata: {},
  };
}

/**
 * The clip that minimises the squared error of `2^bits - 1` uniform steps on the non-negative part of a sample, by a
 * search over fractions of its largest element.
 */
export function bestClip(sample: Float32Array, bits: number): number {
  const positive = sample.filter((v) => v > 0);
  const largest = positive.reduce((a, v) => Math.max(a, v), 0);
  if (!(largest > 0)) return 1;
  const steps = 2 ** bits - 1;
  let best = { clip: largest, error: Number.POSITIVE_INFINITY };
  for (let i = 1; i <= 50; i++) {
    const clip = (largest * i) / 50;
    let error = 0;
    for (const v of positive) {
      const level = (Math.round((Math.min(v, clip) / clip) * steps) / steps) * clip;
      error += (v - level) ** 2;
    }
    if (error < best.error) best = { clip, error };
  }
  return best.clip;
}

/**
 * Starting clips of activations that are to be quantized.
 * @param bits of each activation, by its name in `graph`
 */
export async function calibrateClips(
  graph: Graph,
  bits: ReadonlyMap<string, number>,
  images: Images,
  settings: CalibrationSettings,
): Promise<Map<string, number>> {
  const observed = await observe(graph, [...bits.keys()], images, settings);
  return new Map(
    [...observed].map(([name, { sample }]) => [name, bestClip(sample, bits.get(name) as number)]),
  );
}
