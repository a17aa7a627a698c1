import { intAttribute } from '../onnx/attributes.js';
import { elementsOf } from '../onnx/elements.js';
import type { Graph, Node } from '../onnx/graph.js';
import { type Residual, residualOf } from './residual-stream.js';
import { Topology } from './topology.js';

/** The activation function of a layer as a range: Relu is [0, infinity], no activation is everything. */
export interface ActivationRange {
  readonly low: number;
  readonly high: number;
}

/** What one deployed operator computes after the convolution itself. */
export interface LayerEnding {
  readonly norm: Node | undefined;
  readonly residual: Residual | undefined;
  readonly activation: ActivationRange;
  /** The sum of products with norm or bias, before anything is added. */
  readonly affine: string;
  /** The value that the operator ends in: a stream, or what `quantize` reads. */
  readonly value: string;
  /** The quantizer of `value`. */
  readonly quantize: Node | undefined;
  /** Whether there is a stream of `value`: it is needed beside its codes, or these have many thresholds. */
  readonly streams: boolean;
  /** Whether nothing but `quantize` reads `value`. */
  readonly codesOnly: boolean;
  /** All nodes behind the convolution that the operator replaces. */
  readonly nodes: readonly Node[];
}

const LINEAR: ActivationRange = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/** The endings of all convolutions with quantized weights, in graph order. */
export function layerEndings(topology: Topology): Map<Node, LayerEnding> {
  const endings = new Map<Node, LayerEnding>();
  const streams = new Set<string>();
  for (const conv of topology.graph.nodes) {
    if (conv.opType !== 'Conv' || topology.graph.initializers.has(conv.inputs[1])) continue;
    const ending = endingOf(topology, conv, streams);
    if (ending.streams) streams.add(ending.value);
    endings.set(conv, ending);
  }
  return endings;
}

function endingOf(topology: Topology, conv: Node, streams: ReadonlySet<string>): LayerEnding {
  const nodes: Node[] = [];
  const step = (node: Node) => {
    nodes.push(node);
    return node.outputs[0];
  };
  const norm = topology.soleReader(conv.outputs[0], 'BatchNormalization');
  const affine = norm ? step(norm) : conv.outputs[0];
  let value = affine;
  const add = topology.soleReader(value, 'Add');
  const other = add?.inputs.find((operand) => operand !== value);
  const residual = other && residualOf(topology, other, channelsOf(topology, conv), streams);
  if (add && residual) {
    nodes.push(...residual.nodes);
    value = step(add);
  }
  const { node, range } = activationOf(topology, value);
  // The top of a stream is where 16 bits end: it can be a bound only if nothing else shares the unit of the stream.
  const shared = residual || (node && topology.readers(node.outputs[0]).some(isAdd));
  const bounded = Number.isFinite(range.high) && shared;
  if (node && !bounded) value = step(node);
  const readers = topology.readers(value);
  const quantize = readers.find((reader) => reader.opType === 'Quantize');
  if (quantize) nodes.push(quantize);
  const codesOnly = !residual && readers.length === 1 && !!quantize && !topology.isOutput(value);
  return {
    norm,
    residual: residual || undefined,
    activation: bounded ? LINEAR : range,
    affine,
    value,
    quantize,
    streams: !codesOnly || isFine(quantize),
    codesOnly,
    nodes,
  };
}

/** 255 thresholds for each output channel weigh more than the weights do; those of a stream serve all channels. */
const isFine = (quantize: Node) => intAttribute(quantize, 'bits') > 4;

const isAdd = (node: Node) => node.opType === 'Add';

/** Weights are [M, ...], by way of the nodes that quantize them. */
function channelsOf(topology: Topology, conv: Node): number {
  const { initializers } = topology.graph;
  let name = conv.inputs[1];
  while (!initializers.has(name)) name = (topology.producer(name) as Node).inputs[0];
  return initializers.get(name)?.shape[0] as number;
}

function activationOf(topology: Topology, value: string) {
  const relu = topology.soleReader(value, 'Relu');
  if (relu) return { node: relu, range: { low: 0, high: Number.POSITIVE_INFINITY } };
  const clip = topology.soleReader(value, 'Clip');
  const bounds = clip?.inputs.slice(1).map((name) => topology.graph.initializers.get(name));
  if (!clip || bounds?.length !== 2 || !bounds[0] || !bounds[1]) return { range: LINEAR };
  const [low, high] = bounds.map((tensor) => elementsOf(tensor as never, 'float32')[0]);
  return low === 0 && high > 0 ? { node: clip, range: { low, high } } : { range: LINEAR };
}

/**
 * Values whose largest magnitude the exporter must know: the streams, what is added to them, and the pooled features.
 */
export function rangedValues(graph: Graph): string[] {
  const endings = [...layerEndings(new Topology(graph)).values()].filter((e) => e.streams);
  const pools = graph.nodes.filter((node) => node.opType === 'GlobalAveragePool');
  return [
    ...new Set([
      ...endings.flatMap((ending) => [ending.affine, ending.value]),
      ...pools.map((pool) => pool.outputs[0]),
    ]),
  ];
}

/** The part of the stream's range that calibration fills: test images may go a little beyond training ones. */
const STREAM_FILL = 0.75;
const STREAM_MAX = 32767;

/**
 * The real value of one integer step of each stream. Streams that are added to one another share theirs. Where an
 * activation has an upper bound it is the end of 16 bits, so that saturation is the bound.
 * @param ranges the largest magnitude of each of `rangedValues`
 */
export function streamUnits(
  endings: Iterable<LayerEnding>,
  ranges: ReadonlyMap<string, number>,
): Map<string, number> {
  const streams = [...endings].filter((ending) => ending.streams);
  const rootOf = new Map<string, string>();
  const largest = new Map<string, number>();
  const bounds = new Map<string, number>();
  for (const { value, affine, residual, activation } of streams) {
    const root = (residual && rootOf.get(residual.stream)) ?? value;
    rootOf.set(value, root);
    const seen = [affine, value].map((name) => rangeOf(ranges, name));
    largest.set(root, Math.max(largest.get(root) ?? 0, ...seen));
    if (Number.isFinite(activation.high)) bounds.set(root, activation.high);
  }
  return new Map(
    [...rootOf].map(([value, root]) => {
      const bound = bounds.get(root);
      const range = largest.get(root) as number;
      return [value, bound === undefined ? range / (STREAM_FILL * STREAM_MAX) : bound / STREAM_MAX];
    }),
  );
}

/** @throws TypeError for a value that was not observed or is always zero */
export function rangeOf(ranges: ReadonlyMap<string, number>, name: string): number {
  const range = ranges.get(name);
  if (range === undefined || !(range > 0)) {
    throw new TypeError(`no range was observed for '${name}'`);
  }
  return range;
}
