import { symmetricLevels } from '../lcq/levels.js';
import { elementsOf } from '../onnx/elements.js';
import type { Node } from '../onnx/graph.js';
import { gridOf } from './layer-weights.js';
import { type Topology, unsupported } from './topology.js';

/** The codes that a convolution reads, and what they stand for. */
export interface DeployedInput {
  readonly value: string;
  /** Integer levels by code, less `zeroPoint` what the weights are multiplied with. */
  readonly levels: Uint8Array;
  readonly zeroPoint: number;
  /** The real value of one integer level. */
  readonly scale: number;
}

/** Signed levels are stored with this added. */
const SIGNED_ZERO_POINT = 128;

/** @throws LcqError UNSUPPORTED if the input is neither quantized nor an image */
export function deployedInput(topology: Topology, conv: Node): DeployedInput {
  const producer = topology.producer(conv.inputs[0]);
  if (producer?.opType !== 'Quantize') return imageInput(topology, conv);
  const { grid, scale } = gridOf(topology, producer);
  const [value] = producer.outputs;
  if (!grid.signed) return { value, levels: Uint8Array.from(grid.levels), zeroPoint: 0, scale };
  const signed = Array.from(symmetricLevels(grid.levels));
  const levels = Uint8Array.from(signed, (level) => level + SIGNED_ZERO_POINT);
  return { value, levels, zeroPoint: SIGNED_ZERO_POINT, scale };
}

/** The trainer's networks prepare their images themselves: Transpose(Mul(Sub(Cast(pixels), zero), scale)). */
function imageInput(topology: Topology, conv: Node): DeployedInput {
  const transpose = topology.expect(conv.inputs[0], 'Transpose', conv);
  const mul = topology.expect(transpose.inputs[0], 'Mul', transpose);
  const sub = topology.expect(mul.inputs[0], 'Sub', mul);
  const cast = topology.expect(sub.inputs[0], 'Cast', sub);
  const scalar = (node: Node) => {
    const tensor = topology.graph.initializers.get(node.inputs[1]);
    if (!tensor) throw unsupported(node, 'its second input must be an initializer');
    return elementsOf(tensor, 'float32')[0];
  };
  const levels = Uint8Array.from({ length: 256 }, (_, i) => i);
  return { value: cast.inputs[0], levels, zeroPoint: scalar(sub), scale: scalar(mul) };
}

/** The nodes between a graph's image of bytes and its first convolution. */
export function imagePreparation(topology: Topology): Node[] {
  const nodes: Node[] = [];
  let [reader] = topology.readers(topology.graph.inputs[0].name);
  for (; reader && reader.opType !== 'Conv'; [reader] = topology.readers(reader.outputs[0])) {
    nodes.push(reader);
  }
  return nodes;
}
