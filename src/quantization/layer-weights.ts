import type { WeightBits } from '../lcq/bit-packing.js';
import { gridCode, type QuantizerGrid, quantizerGrid } from '../lcq/grid.js';
import { symmetricLevels } from '../lcq/levels.js';
import { normalizeWeights } from '../lcq/weight-normalization.js';
import { floatAttribute, intAttribute } from '../onnx/attributes.js';
import { elementsOf } from '../onnx/elements.js';
import type { Node } from '../onnx/graph.js';
import type { Topology } from './topology.js';
import { unsupported } from './topology.js';

/** Weights as they are deployed. */
export interface LayerWeights {
  readonly bits: WeightBits;
  /** As trained: [M, C/group, KH, KW] or [M, K]. */
  readonly shape: readonly number[];
  /** Codes in the order of `shape`, 0 .. 2s. */
  readonly codes: Uint8Array;
  /** Integer levels by code. */
  readonly levels: Int8Array;
  /** The real value of one integer step for each output channel. */
  readonly scale: Float64Array;
}

/** What an activation quantizer leaves for deployment. */
export interface LayerInput {
  readonly grid: QuantizerGrid;
  /** The real value of one integer level. */
  readonly scale: number;
}

/** Reads the quantizer node's trained alpha and theta. */
export function gridOf(topology: Topology, quantize: Node): LayerInput {
  const { initializers } = topology.graph;
  const [alpha, theta] = quantize.inputs.slice(1).map((name) => {
    const tensor = initializers.get(name);
    if (!tensor) throw unsupported(quantize, `'${name}' must be an initializer`);
    return elementsOf(tensor, 'float32');
  });
  const cap = floatAttribute(quantize, 'cap');
  const grid = quantizerGrid({
    alpha: alpha[0],
    theta,
    cap,
    bits: intAttribute(quantize, 'bits'),
    signed: intAttribute(quantize, 'signed') === 1,
    cells: intAttribute(quantize, 'cells'),
  });
  return { grid, scale: alpha[0] / cap };
}

/** Quantizes a layer's trained weights once and for all. `layer` is a Conv or Gemm whose second input is quantized. */
export function layerWeights(topology: Topology, layer: Node): LayerWeights {
  const producer = topology.producer(layer.inputs[1]);
  if (producer?.opType === 'UniformQuantize') return uniformWeights(topology, producer);
  if (producer?.opType === 'Quantize') return plainWeights(topology, producer);
  if (producer?.opType === 'Mul') {
    const quantize = topology.expect(producer.inputs[0], 'Quantize', producer);
    return topology.graph.initializers.has(producer.inputs[1])
      ? clippedWeights(topology, quantize, producer)
      : normalizedWeights(topology, quantize);
  }
  throw unsupported(layer, 'its weights are not quantized');
}

function trainedWeights(topology: Topology, name: string, reader: Node) {
  const tensor = topology.graph.initializers.get(name);
  if (!tensor) throw unsupported(reader, `'${name}' must be an initializer`);
  return { shape: tensor.shape, values: elementsOf(tensor, 'float32') };
}

/** Q(w), as insert.ts writes it without normalization. */
function plainWeights(topology: Topology, quantize: Node): LayerWeights {
  const { shape, values } = trainedWeights(topology, quantize.inputs[0], quantize);
  return quantizedWeights(topology, quantize, shape, values, new Float64Array(shape[0]).fill(1));
}

/** std(w) Q(w~), as insert.ts writes it. */
function normalizedWeights(topology: Topology, quantize: Node): LayerWeights {
  const normalized = topology.expect(quantize.inputs[0], 'Div', quantize);
  const centred = topology.expect(normalized.inputs[0], 'Sub', normalized);
  const { shape, values } = trainedWeights(topology, centred.inputs[0], centred);
  const { values: w, std } = normalizeWeights(values);
  return quantizedWeights(topology, quantize, shape, w, new Float64Array(shape[0]).fill(std));
}

/** clip Q(v) with one clip an output channel or one for all, as post-training/insert.ts writes it. */
function clippedWeights(topology: Topology, quantize: Node, restored: Node): LayerWeights {
  const { shape, values } = trainedWeights(topology, quantize.inputs[0], quantize);
  const { values: clips } = trainedWeights(topology, restored.inputs[1], restored);
  const restore = Float64Array.from({ length: shape[0] }, (_, m) => clips[m % clips.length]);
  return quantizedWeights(topology, quantize, shape, values, restore);
}

/** @param restore what the levels of each output channel are multiplied with */
function quantizedWeights(
  topology: Topology,
  quantize: Node,
  shape: readonly number[],
  values: ArrayLike<number>,
  restore: Float64Array,
): LayerWeights {
  const { grid, scale } = gridOf(topology, quantize);
  const steps = grid.levels.length - 1;
  return {
    bits: intAttribute(quantize, 'bits') as WeightBits,
    shape,
    codes: Uint8Array.from(values, (v) => gridCode(grid, v) + steps),
    levels: symmetricLevels(grid.levels),
    scale: restore.map((r) => r * scale),
  };
}

function uniformWeights(topology: Topology, quantize: Node): LayerWeights {
  const { shape, values } = trainedWeights(topology, quantize.inputs[0], quantize);
  const steps = intAttribute(quantize, 'steps');
  const perChannel = values.length / shape[0];
  const scale = new Float64Array(shape[0]);
  const codes = new Uint8Array(values.length);
  for (let m = 0; m < shape[0]; m++) {
    const row = values.subarray(m * perChannel, (m + 1) * perChannel);
    scale[m] = (row.reduce((a, v) => Math.max(a, Math.abs(v)), 0) + 1e-12) / steps;
    row.forEach((v, i) => {
      codes[m * perChannel + i] = Math.round(v / scale[m]) + steps;
    });
  }
  const levels = Int8Array.from({ length: 2 * steps + 1 }, (_, code) => code - steps);
  return { bits: 8, shape, codes, levels, scale };
}

/** Negates the weights of some output channels: levels are symmetric, so codes are mirrored. */
export function negateChannels(weights: LayerWeights, negated: readonly boolean[]): LayerWeights {
  const perChannel = weights.codes.length / weights.shape[0];
  const last = weights.levels.length - 1;
  const codes = weights.codes.map((code, i) =>
    negated[Math.floor(i / perChannel)] ? last - code : code,
  );
  return { ...weights, codes };
}

/** Codes of [M,C,KH,KW] weights in the packed order [M,KH,KW,C]. */
export function channelsLast({ shape, codes }: LayerWeights): Uint8Array {
  const [m, c, kh, kw] = shape;
  const ordered = new Uint8Array(codes.length);
  let to = 0;
  for (let o = 0; o < m; o++) {
    for (let tap = 0; tap < kh * kw; tap++) {
      for (let i = 0; i < c; i++) ordered[to++] = codes[(o * c + i) * kh * kw + tap];
    }
  }
  return ordered;
}
