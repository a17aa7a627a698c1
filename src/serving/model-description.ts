import { compander, compress } from '../lcq/compander.js';
import { companderThresholds } from '../lcq/levels.js';
import { uniformSteps } from '../lcq/uniform-quantizer.js';
import type { LcqLayer, TrainedQuantizer } from '../runtime/session.js';
import type { Servable } from './servable.js';

/** What a caller can choose a model by. */
export interface ModelOverview {
  readonly name: string;
  readonly version: string;
  readonly task: 'classification' | 'detection';
  /** Size in pixels that pictures are brought to. */
  readonly input: { readonly width: number; readonly height: number };
  /** Of model.onnx. */
  readonly bytes: number;
  /** Bits of the layers that hold the most weights; absent where no layer is quantized with LCQ. */
  readonly bits?: { readonly weights: number; readonly activations: number };
}

export interface ModelDescription extends ModelOverview {
  readonly labels: readonly string[];
  readonly maxBatchSize: number;
  /** The quantized ones, in the order of the graph. */
  readonly layers: readonly LayerDescription[];
}

export interface LayerDescription {
  readonly name: string;
  readonly op: string;
  readonly kernel: string;
  /** [M, KH, KW, C/group]; of a product [M, 1, 1, K]. */
  readonly weightShape: readonly number[];
  readonly weights: QuantizerDescription;
  readonly activations: QuantizerDescription;
}

/** The quantizer of one side of a layer. Levels are integers: a real level is the integer times a folded scale. */
export interface QuantizerDescription {
  readonly bits: number;
  /** Of each code, ascending. */
  readonly levels: readonly number[];
  /** Absent for uniform levels, and where the file does not tell. */
  readonly compander?: CompanderDescription;
}

/** The trained compander f on [0, 1], of |x| / alpha. */
export interface CompanderDescription {
  readonly alpha: number;
  /** f(k/K) for k = 0..K; f is linear in between. */
  readonly curve: readonly number[];
  /** Where the code c = 1..s begins, in units of alpha. */
  readonly thresholds: readonly number[];
}

export function modelOverview({ definition, layers }: Servable): ModelOverview {
  const { name, version, config, modelBytes: bytes } = definition;
  const { width, height } = config.input;
  const bits = commonBits(layers);
  return {
    name,
    version,
    task: config.task,
    input: { width, height },
    bytes,
    ...(bits && { bits }),
  };
}

export function describeModel(servable: Servable): ModelDescription {
  return {
    ...modelOverview(servable),
    labels: servable.definition.labels,
    maxBatchSize: servable.maxBatchSize,
    layers: servable.layers.map(describeLayer),
  };
}

function describeLayer(layer: LcqLayer): LayerDescription {
  const { name, op, kernel, weightShape, weightBits, weightLevels, inputLevels } = layer;
  const weights = { bits: weightBits, levels: weightLevels };
  const activations = { bits: activationBits(layer), levels: inputLevels };
  return {
    name,
    op,
    kernel,
    weightShape,
    weights: { ...weights, ...describeCompander(layer.weightQuantizer, weightLevels) },
    activations: { ...activations, ...describeCompander(layer.inputQuantizer, inputLevels) },
  };
}

function describeCompander(quantizer: TrainedQuantizer | undefined, levels: readonly number[]) {
  if (quantizer === undefined) return {};
  const { alpha, bits, theta } = quantizer;
  const f = compander(theta);
  // A signed quantizer leaves one code unused.
  const signed = levels.length < 2 ** bits;
  const knots = theta.length;
  const curve = Array.from({ length: knots + 1 }, (_, k) => compress(f, k / knots));
  const thresholds = [...companderThresholds(f, uniformSteps(bits, signed))];
  return { compander: { alpha, curve, thresholds } };
}

const activationBits = ({ inputLevels }: LcqLayer) => Math.ceil(Math.log2(inputLevels.length));

/** Of the layers that hold the most weights: first and last often have more bits than all others. */
function commonBits(layers: readonly LcqLayer[]): ModelOverview['bits'] {
  const counts = new Map<string, { weights: number; activations: number; count: number }>();
  for (const layer of layers) {
    const bits = { weights: layer.weightBits, activations: activationBits(layer) };
    const key = `${bits.weights} ${bits.activations}`;
    const count = (counts.get(key)?.count ?? 0) + layer.weightShape.reduce((a, b) => a * b, 1);
    counts.set(key, { ...bits, count });
  }
  const [most] = [...counts.values()].sort((a, b) => b.count - a.count);
  return most && { weights: most.weights, activations: most.activations };
}
