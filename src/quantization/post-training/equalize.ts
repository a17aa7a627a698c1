import { intAttribute } from '../../onnx/attributes.js';
import { elementsOf, tensorOf } from '../../onnx/elements.js';
import type { Graph, Node, TensorData } from '../../onnx/graph.js';
import { Topology } from '../topology.js';
import { type Activations, NetworkRunner } from './network-runner.js';

/** A convolution, its activation function and the depthwise convolution that alone reads it. */
interface Chain {
  readonly conv: Node;
  readonly activation: Node;
  readonly depthwise: Node;
}

/** Other images may go beyond the largest value that calibration saw by this factor. */
const HEADROOM = 1.5;

/**
 * Gives all channels that a depthwise convolution reads one range, so that one quantizer suits them: what makes a
 * channel is multiplied, the depthwise weights of the channel are divided, and clips of an output channel make good for
 * that. Folded batch normalization leaves channels hundreds of times smaller than others (arXiv 1906.04721).
 *
 * Equal to the old graph where no channel goes beyond its headroom: before a Clip it is clipped there.
 */
export async function equalizeDepthwiseInputs(
  graph: Graph,
  images: Activations,
  settings: { readonly batch: number; readonly threads: number },
): Promise<Graph> {
  const chains = chainsOf(graph);
  if (chains.length === 0) return graph;
  const ranges = await channelRanges(graph, chains, images, settings);
  const initializers = new Map(graph.initializers);
  for (const [i, { conv, depthwise }] of chains.entries()) {
    const widest = ranges[i].reduce((a, v) => Math.max(a, v), 0);
    const gain = Float64Array.from(ranges[i], (range) =>
      range > 0 ? Math.max(1, widest / (HEADROOM * range)) : 1,
    );
    const [, weight, bias] = conv.inputs;
    const scaled = (name: string, factor: (channel: number) => number) =>
      initializers.set(name, scaleRows(initializers.get(name) as TensorData, factor));
    scaled(weight, (c) => gain[c]);
    if (bias) scaled(bias, (c) => gain[c]);
    scaled(depthwise.inputs[1], (c) => 1 / gain[c]);
  }
  return { ...graph, initializers };
}

function chainsOf(graph: Graph): Chain[] {
  const topology = new Topology(graph);
  const constants = (node: Node) =>
    node.inputs.slice(1).every((name) => name === '' || isOwn(topology, name));
  return graph.nodes.flatMap((depthwise) => {
    const activation = topology.producer(depthwise.inputs[0]);
    const conv = activation && topology.producer(activation.inputs[0]);
    if (!activation || conv?.opType !== 'Conv' || depthwise.opType !== 'Conv') return [];
    const group = intAttribute(depthwise, 'group', 1);
    const weight = graph.initializers.get(depthwise.inputs[1]);
    const fits = weight?.shape[1] === 1 && weight.shape[0] === group && group > 1;
    const alone = [conv, activation].every(({ outputs: [value] }) => {
      return topology.readers(value).length === 1 && !topology.isOutput(value);
    });
    const known = ['Relu', 'Clip'].includes(activation.opType);
    if (!fits || !alone || !known || !constants(conv) || !constants(depthwise)) return [];
    return [{ conv, activation, depthwise }];
  });
}

/** Whether a value is an initializer that only one node reads. */
function isOwn(topology: Topology, name: string): boolean {
  return topology.graph.initializers.has(name) && topology.readers(name).length === 1;
}

/** The largest value of each channel behind each chain's activation function. */
async function channelRanges(
  graph: Graph,
  chains: readonly Chain[],
  images: Activations,
  settings: { readonly batch: number; readonly threads: number },
): Promise<Float64Array[]> {
  const [{ name }] = graph.inputs;
  const values = chains.map(({ activation }) => activation.outputs[0]);
  const input = { name, shape: images.shape };
  const runner = await NetworkRunner.create(graph, input, values, settings);
  const ranges = chains.map(
    ({ depthwise }) => new Float64Array(intAttribute(depthwise, 'group', 1)),
  );
  try {
    await runner.forEachBatch(images, (tensors) => {
      for (const [i, elements] of tensors.entries()) {
        const range = ranges[i];
        const area = elements.length / (settings.batch * range.length);
        for (let plane = 0; plane < settings.batch * range.length; plane++) {
          const channel = elements.subarray(plane * area, (plane + 1) * area);
          const largest = channel.reduce((a, v) => Math.max(a, v), 0);
          const c = plane % range.length;
          range[c] = Math.max(range[c], largest);
        }
      }
    });
  } finally {
    await runner.release();
  }
  return ranges;
}

function scaleRows(tensor: TensorData, factor: (row: number) => number): TensorData {
  const elements = elementsOf(tensor, 'float32');
  const size = elements.length / tensor.shape[0];
  const scaled = elements.map((v, i) => v * factor(Math.floor(i / size)));
  return tensorOf('float32', tensor.shape, scaled);
}
