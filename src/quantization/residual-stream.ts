import { elementsOf } from '../onnx/elements.js';
import type { Node } from '../onnx/graph.js';
import { type Topology, unsupported } from './topology.js';

/** What an LcqConvAdd adds: a stream, every `stride`-th row and column of it, its channels moved up by `offset`. */
export interface Residual {
  readonly stream: string;
  readonly stride: number;
  readonly offset: number;
  /** Nodes of the shortcut, which the operator replaces. */
  readonly nodes: readonly Node[];
}

/**
 * The other operand of an Add as a residual, if it is one of `streams` or a parameter-free shortcut of one.
 * @param channels of the result
 * @throws LcqError UNSUPPORTED for a padding that is no such shortcut
 */
export function residualOf(
  topology: Topology,
  value: string,
  channels: number,
  streams: ReadonlySet<string>,
): Residual | undefined {
  if (streams.has(value)) return { stream: value, stride: 1, offset: 0, nodes: [] };
  const pad = topology.producer(value);
  if (pad?.opType !== 'Pad') return undefined;
  const slice = topology.expect(pad.inputs[0], 'Slice', pad);
  const [starts, , axes, steps] = slice.inputs
    .slice(1)
    .map((name) => int64s(topology, slice, name));
  const pads = int64s(topology, pad, pad.inputs[1]);
  const forward = starts.every((s) => s === 0) && axes.join() === '2,3' && steps[0] === steps[1];
  const onlyChannels = pads.every((p, i) => p === 0 || i === 1 || i === 5);
  if (!forward || !onlyChannels || pads[1] >= channels || !streams.has(slice.inputs[0])) {
    throw unsupported(pad, 'it is not a strided shortcut with zero channels');
  }
  return { stream: slice.inputs[0], stride: steps[0], offset: pads[1], nodes: [slice, pad] };
}

function int64s(topology: Topology, node: Node, name: string): number[] {
  const tensor = topology.graph.initializers.get(name);
  if (!tensor) throw unsupported(node, `'${name}' must be an initializer`);
  return Array.from(elementsOf(tensor, 'int64'), Number);
}
