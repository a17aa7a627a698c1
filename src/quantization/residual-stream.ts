import { elementsOf } from '../onnx/elements.js';
import type { Graph, Node } from '../onnx/graph.js';
import { Topology, unsupported } from './topology.js';

/** Values whose range the exporter must know: the residual stream at each of its points, and the pooled features. */
export function rangedValues(graph: Graph): {
  readonly streams: string[];
  readonly pooled: string;
} {
  const topology = new Topology(graph);
  const pool = graph.nodes.find((node) => node.opType === 'GlobalAveragePool');
  if (!pool) throw new TypeError('the network has no global average pooling');
  const streams = graph.nodes
    .filter((node) => node.opType === 'BatchNormalization')
    .map((norm) => streamOf(topology, norm))
    .filter((stream) => stream !== undefined);
  return { streams: [...new Set(streams)], pooled: pool.outputs[0] };
}

/** The stream value that a normalized convolution ends in; undefined if it ends in codes at once. */
export function streamOf(topology: Topology, norm: Node): string | undefined {
  let value = norm.outputs[0];
  for (
    let readers = topology.readers(value);
    readers.length === 1;
    readers = topology.readers(value)
  ) {
    const [reader] = readers;
    if (reader.opType === 'Quantize' && value === norm.outputs[0]) return undefined;
    if (reader.opType !== 'Add' && reader.opType !== 'Relu') break;
    value = reader.outputs[0];
    if (reader.opType === 'Relu') break;
  }
  return value;
}

/** What an LcqConvAdd adds: a stream, every `stride`-th row and column of it, its channels moved up by `offset`. */
export interface Residual {
  readonly stream: string;
  readonly stride: number;
  readonly offset: number;
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
  if (streams.has(value)) return { stream: value, stride: 1, offset: 0 };
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
  return { stream: slice.inputs[0], stride: steps[0], offset: pads[1] };
}

function int64s(topology: Topology, node: Node, name: string): number[] {
  const tensor = topology.graph.initializers.get(name);
  if (!tensor) throw unsupported(node, `'${name}' must be an initializer`);
  return Array.from(elementsOf(tensor, 'int64'), Number);
}
