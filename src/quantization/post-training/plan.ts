import type { WeightBits } from '../../lcq/bit-packing.js';
import type { Graph, Node } from '../../onnx/graph.js';
import { Topology } from '../topology.js';

export type ActivationBits = 2 | 3 | 4 | 8;

export interface PlannedLayer {
  readonly weightBits: WeightBits;
  /** Whether it is a first or a last layer, which get 8 bits. */
  readonly border: boolean;
}

/** What of a canonical graph (see onnx/passes) will be quantized, and to how many bits. */
export interface QuantizationPlan {
  /** Layers with quantized weights, in graph order. */
  readonly layers: ReadonlyMap<Node, PlannedLayer>;
  /** Values that get a quantizer: the inputs of quantized convolutions. */
  readonly activations: ReadonlyMap<string, ActivationBits>;
}

const BORDER_BITS = 8;

/**
 * Plans all convolutions, and fully connected layers behind a global pooling. The first layers (which read the image
 * by way of no other) and the last ones (which feed no other) get 8 bits, weights and inputs.
 */
export function planQuantization(
  graph: Graph,
  bits: { readonly weightBits: WeightBits; readonly activationBits: ActivationBits },
): QuantizationPlan {
  const topology = new Topology(graph);
  const candidates = graph.nodes.filter((node) => isQuantizable(topology, node));
  const set = new Set(candidates);
  const layers = new Map<Node, PlannedLayer>();
  const activations = new Map<string, ActivationBits>();
  const bytes = graph.inputs[0].type.dtype === 'uint8';
  for (const node of candidates) {
    const first = !reaches(topology, node, set, 'back');
    const border = first || !reaches(topology, node, set, 'on');
    layers.set(node, { weightBits: border ? BORDER_BITS : bits.weightBits, border });
    // Pixels are codes already.
    if (node.opType !== 'Conv' || (first && bytes)) continue;
    const [input] = node.inputs;
    const wanted = border ? BORDER_BITS : bits.activationBits;
    activations.set(input, Math.max(wanted, activations.get(input) ?? 0) as ActivationBits);
  }
  return { layers, activations };
}

function isQuantizable(topology: Topology, node: Node): boolean {
  const { initializers } = topology.graph;
  const weight = initializers.get(node.inputs[1] ?? '');
  if (node.domain !== '' || weight?.dtype !== 'float32' || topology.isOutput(node.inputs[1])) {
    return false;
  }
  const bias = node.inputs[2];
  if (bias && !initializers.has(bias)) return false;
  if (node.opType === 'Conv') return weight.shape.length === 4;
  return node.opType === 'Gemm' && readsPooledFeatures(topology, node);
}

/** Whether a Gemm reads Flatten(GlobalAveragePool(x)) with x from 0 on, which has a deployed form. */
function readsPooledFeatures(topology: Topology, gemm: Node): boolean {
  const flatten = topology.producer(gemm.inputs[0]);
  const pool = flatten?.opType === 'Flatten' ? topology.producer(flatten.inputs[0]) : undefined;
  if (flatten === undefined || pool?.opType !== 'GlobalAveragePool') return false;
  const alone = [flatten, pool].every((node) => topology.readers(node.outputs[0]).length === 1);
  return alone && ['Relu', 'Clip'].includes(topology.producer(pool.inputs[0])?.opType ?? '');
}

/** Whether another node of `targets` lies behind (before) `node`. */
function reaches(
  topology: Topology,
  node: Node,
  targets: ReadonlySet<Node>,
  direction: 'on' | 'back',
): boolean {
  const neighbours = (n: Node): Node[] =>
    direction === 'on'
      ? n.outputs.flatMap((value) => topology.readers(value))
      : n.inputs.flatMap((value) => topology.producer(value) ?? []);
  const seen = new Set<Node>();
  const queue = neighbours(node);
  for (let next = queue.pop(); next; next = queue.pop()) {
    if (targets.has(next)) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    queue.push(...neighbours(next));
  }
  return false;
}
