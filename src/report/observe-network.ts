import type { Model } from '../onnx/graph.js';
import { encodeModel } from '../onnx/serde.js';
import { verifyModel } from '../onnx/verifier.js';
import {
  type Activations,
  imagesOf,
  NetworkRunner,
} from '../quantization/post-training/network-runner.js';
import { createLcqSession } from '../runtime/lcq-session.js';
import type { Tensor, TensorElements } from '../runtime/session.js';
import { Random } from '../training/random.js';
import type { Baseline } from './baseline.js';
import { ObservedValue } from './observed-value.js';
import type { QuantizedLayer } from './quantized-layer.js';

export interface ObservationSettings {
  /** Divides the number of images. */
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
}

/** What of a layer is looked at, by value names of the quantized graph. */
export interface LayerValues {
  /** The codes that it reads. */
  readonly input: string;
  /** What the next layers read: codes, else a stream or reals. */
  readonly output: string;
}

/** The value in full precision that one of the quantized graph stands for: the exporter appends to its name. */
export const fullPrecisionName = (value: string): string =>
  value.replace(/\.(quantized|stream)$/, '');

export function layerValues({ graph }: Model, { node }: QuantizedLayer): LayerValues {
  const [first, codes] = node.outputs;
  const isRead = (value: string) => graph.nodes.some(({ inputs }) => inputs.includes(value));
  return { input: node.inputs[0], output: codes !== undefined && isRead(codes) ? codes : first };
}

/**
 * Runs a quantized network on pictures, beside its full-precision baseline if there is one, and observes what its
 * layers read and make.
 * @param images as the network takes them: [3,H,W] or [H,W,3] each
 */
export async function observeNetwork(
  model: Model,
  layers: readonly QuantizedLayer[],
  baseline: Baseline | undefined,
  images: Activations,
  settings: ObservationSettings,
  onProgress: (done: number) => void = () => {},
): Promise<ReadonlyMap<string, ObservedValue>> {
  const { values, model: tapped } = tap(model, layers, baseline);
  const session = await createLcqSession(encodeModel(tapped), { intraOpThreads: settings.threads });
  const compared = [...values.keys()].filter((name) => baseline?.has(fullPrecisionName(name)));
  const random = new Random(settings.seed);
  const runner = baseline && (await fullPrecision(baseline, compared, images, settings));
  try {
    for (let from = 0; from < images.count; from += settings.batch) {
      const data = imagesOf(images, from, settings.batch);
      const [{ name, datatype }] = session.inputs;
      const pixels = datatype === 'UINT8' ? Uint8Array.from(data) : data;
      const shape = [settings.batch, ...images.shape];
      const tensors = await session.run({ [name]: { datatype, shape, data: pixels } });
      for (const [value, observed] of values) observed.count(numbers(tensors[value]));
      await runner?.forEachBatch({ ...images, count: settings.batch, data }, (reals) => {
        for (const [i, value] of compared.entries()) {
          const { shape } = tensors[value];
          const share = settings.batch / images.count;
          values.get(value)?.compare(shape, numbers(tensors[value]), reals[i], share, random);
        }
      });
      onProgress(from + settings.batch);
    }
  } finally {
    await runner?.release();
    await session.dispose();
  }
  return values;
}

function fullPrecision(
  { graph }: Baseline,
  values: readonly string[],
  images: Activations,
  settings: ObservationSettings,
): Promise<NetworkRunner> {
  const [{ name }] = graph.inputs;
  const names = values.map(fullPrecisionName);
  return NetworkRunner.create(graph, { name, shape: images.shape }, names, settings);
}

/** The model with what is looked at among its outputs. */
function tap(model: Model, layers: readonly QuantizedLayer[], baseline: Baseline | undefined) {
  const { types } = verifyModel(model);
  const levels = new Map(layers.map(({ node, inputLevels }) => [node.inputs[0], inputLevels]));
  const pairs = layers.map((layer) => layerValues(model, layer));
  const names = new Set(pairs.flatMap(({ input, output }) => [input, output]));
  // A picture is what it is.
  for (const { name } of model.graph.inputs) names.delete(name);
  const outputs = new Map(model.graph.outputs.map((output) => [output.name, output]));
  const values = new Map<string, ObservedValue>();
  for (const name of names) {
    const type = types.get(name);
    // Codes that no layer reads have no levels.
    if (!type || (type.dtype === 'uint8' && !levels.has(name))) continue;
    if (!outputs.has(name)) outputs.set(name, { name, type });
    const isScaledByChannel = baseline?.isScaledByChannel(fullPrecisionName(name)) ?? false;
    values.set(name, new ObservedValue(levels.get(name)?.values, isScaledByChannel));
  }
  return {
    values,
    model: { ...model, graph: { ...model.graph, outputs: [...outputs.values()] } },
  };
}

/** No value of an LCQ layer has 64 bits. */
const numbers = ({ data }: Tensor) =>
  data as Exclude<TensorElements, BigInt64Array | BigUint64Array>;
