import { elementCount, ITEM_SIZES } from '../onnx/elements.js';
import type { Graph, Model, NamedType, Node } from '../onnx/graph.js';
import type { LcqNode } from '../onnx/lcq-node.js';
import type { InferredType } from '../onnx/lcq-types.js';
import { verifyModel } from '../onnx/verifier.js';

/** What a model file holds, measured from the file: layers, bits, bytes and levels. */
export interface ModelSummary {
  readonly producer: string;
  readonly irVersion: number;
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly layers: readonly LayerSummary[];
  readonly totals: WeightSummary & {
    /** All constants but the weights: levels, thresholds, scales, biases. */
    readonly otherBytes: number;
    /** Of the layers whose input size is known. */
    readonly macs: number;
    /** Bytes of the weights in fp32 over their bytes here. */
    readonly compression: number;
  };
}

export interface WeightSummary {
  readonly weights: number;
  /** As stored. */
  readonly bytes: number;
  /** 8 bytes / weights: measured, so it includes spare bits. */
  readonly bitsPerWeight: number;
}

export interface LayerSummary extends WeightSummary {
  readonly name: string;
  readonly op: string;
  readonly weightShape: readonly number[];
  /** The nominal width of a weight. */
  readonly bits: number;
  /** Integer levels of input and weight codes; absent for layers that are not LCQ. */
  readonly inputLevels?: readonly number[];
  readonly weightLevels?: readonly number[];
  /** Multiply-accumulates for one image; absent where the input size is free or not known. */
  readonly macs?: number;
}

const FP32_BITS = 32;
/** Standard ops whose second input holds weights. */
const WEIGHTED_OPS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];

/**
 * @throws LcqError as verifyModel does
 */
export function summarize(model: Model): ModelSummary {
  const { nodes, types } = verifyModel(model);
  const { graph, producer, irVersion, opsets, metadata } = model;
  const layers = graph.nodes.flatMap((node) => {
    const parsed = nodes.get(node);
    return (parsed ? lcqLayer(node, parsed, types) : standardLayer(node, graph)) ?? [];
  });
  const weights = sum(layers, ({ weights }) => weights);
  const bytes = sum(layers, ({ bytes }) => bytes);
  const constants = sum([...graph.initializers.values()], ({ data }) => data.byteLength);
  const totals = {
    ...measured(weights, bytes),
    // Layers may share a tensor, which the file holds once.
    otherBytes: Math.max(0, constants - bytes),
    macs: sum(layers, ({ macs = 0 }) => macs),
    compression: bytes === 0 ? 1 : (weights * FP32_BITS) / (8 * bytes),
  };
  const { inputs, outputs } = graph;
  return { producer, irVersion, opsets, metadata, inputs, outputs, layers, totals };
}

function lcqLayer(
  node: Node,
  parsed: LcqNode,
  types: ReadonlyMap<string, InferredType>,
): LayerSummary | undefined {
  if (!('operands' in parsed)) return undefined;
  const { weightShape, weightBits } = parsed.attributes;
  const { w, inputLevels, weightLevels } = parsed.operands;
  const weights = elementCount(weightShape);
  // Every weight meets every output position once: [N, OH, OW, M] of a convolution, [N, M] of a product.
  const positions = types.get(node.outputs[0])?.shape.slice(1, -1) ?? [];
  const sizes = positions.filter((size) => typeof size === 'number');
  return {
    name: node.name,
    op: node.opType,
    weightShape,
    bits: weightBits,
    ...measured(weights, w.byteLength),
    inputLevels: [...inputLevels],
    weightLevels: [...weightLevels],
    ...(sizes.length === positions.length && { macs: weights * elementCount(sizes) }),
  };
}

function standardLayer(node: Node, graph: Graph): LayerSummary | undefined {
  const weight = graph.initializers.get(node.inputs[1]);
  if (node.domain !== '' || !WEIGHTED_OPS.includes(node.opType) || !weight) return undefined;
  if (weight.dtype === 'string') return undefined;
  return {
    name: node.name,
    op: node.opType,
    weightShape: weight.shape,
    bits: 8 * ITEM_SIZES[weight.dtype],
    ...measured(elementCount(weight.shape), weight.data.byteLength),
  };
}

function measured(weights: number, bytes: number): WeightSummary {
  return { weights, bytes, bitsPerWeight: weights === 0 ? 0 : (8 * bytes) / weights };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
