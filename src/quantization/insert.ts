import { LcqError } from '../errors.js';
import { uniformCells } from '../lcq/grid.js';
import { levelCaps } from '../lcq/levels.js';
import { uniformSteps } from '../lcq/uniform-quantizer.js';
import { normalizeWeights, VARIANCE_FLOOR } from '../lcq/weight-normalization.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
import { elementsOf } from '../onnx/elements.js';
import type { Attribute, Graph, Node, TensorData } from '../onnx/graph.js';

export type LowBits = 2 | 3 | 4;

export interface QuantizationSettings {
  readonly weightBits: LowBits;
  readonly activationBits: LowBits;
  /** Intervals K of the companding function. */
  readonly intervals: number;
  /** Cells R of the grid that thresholds lie on. */
  readonly cells: number;
  /** Through-compander gradient of the input instead of 1 inside the clip. */
  readonly chainGradient: boolean;
  /** Limited weight normalization, LWN; else weights are quantized as they are. */
  readonly weightNormalization: boolean;
}

export const DEFAULT_INTERVALS = 16;

/** Clips that minimise the squared error of uniform levels on a standard normal, as weights are under LWN: in units of their
 * standard deviation. */
export const WEIGHT_CLIP: Readonly<Record<LowBits, number>> = { 2: 0.996, 3: 1.758, 4: 2.346 };
/** Activations are many: a quarter of the batch tells enough of the gradients of their clip and compander. */
const ACTIVATION_SHARE = 4;
const LAST_LAYER_STEPS = 127;
/** 8 bits are uniform: a compander of one interval is the identity, whatever its theta. */
const UNIFORM = { intervals: 1, cells: uniformCells(uniformSteps(8, false)) };

/**
 * The activations that will be quantized: inputs of all convolutions but those that read the image. A Relu that only
 * feeds such inputs is left out, since the unsigned quantizer sends what is below zero to zero.
 * @returns names of the values, in graph order, as they stand in the full-precision graph
 */
export function quantizedActivations(graph: Graph): string[] {
  const first = graph.nodes.find((node) => node.opType === 'Conv');
  const inputs = graph.nodes
    .filter((n) => n.opType === 'Conv' && n !== first)
    .map((n) => n.inputs[0]);
  return [...new Set(inputs)];
}

/** The bits of each of `quantizedActivations`: 8 where it is read by the last layers alone. */
export function activationBits(graph: Graph, bits: LowBits): ReadonlyMap<string, LowBits | 8> {
  const last = lastConvolutions(graph);
  const isFine = (name: string) =>
    graph.nodes.every((node) => !node.inputs.includes(name) || last.has(node));
  return new Map(quantizedActivations(graph).map((name) => [name, isFine(name) ? 8 : bits]));
}

/** Convolutions after which no layer comes: the heads of a detector. */
function lastConvolutions(graph: Graph): Set<Node> {
  const last = new Set<Node>();
  /** Values that a layer depends on. */
  const before = new Set<string>();
  for (const node of graph.nodes.toReversed()) {
    const isLayer = node.opType === 'Conv' || node.opType === 'Gemm';
    const precedes = node.outputs.some((name) => before.has(name));
    if (node.opType === 'Conv' && !precedes) last.add(node);
    if (isLayer || precedes) for (const name of node.inputs) before.add(name);
  }
  return last;
}

/** The standard deviation of weights about their mean, as LWN takes it. */
export function weightDeviation(weights: TensorData): number {
  return normalizeWeights(elementsOf(weights, 'float32')).std;
}

/**
 * Inserts LCQ quantizers into a full-precision network: on the input and the weights (normalised, LWN) of every
 * convolution but the first and the last; those have 8 uniform bits, as a Gemm has, and so has what goes into a last
 * convolution. Companding starts as the identity (theta = 0).
 * @param clips the starting clip of each quantized activation
 */
export function insertQuantizers(
  graph: Graph,
  settings: QuantizationSettings,
  clips: ReadonlyMap<string, number>,
): Graph {
  return new Inserter(graph, settings).run(clips);
}

const floats = (values: ArrayLike<number>, shape: readonly number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});

class Inserter {
  private readonly source: Graph;
  private readonly settings: QuantizationSettings;
  private readonly initializers: Map<string, TensorData>;
  private readonly nodes: Node[] = [];

  constructor(source: Graph, settings: QuantizationSettings) {
    this.source = source;
    this.settings = settings;
    this.initializers = new Map(source.initializers);
  }

  run(clips: ReadonlyMap<string, number>): Graph {
    const activations = activationBits(this.source, this.settings.activationBits);
    const first = this.source.nodes.find((node) => node.opType === 'Conv');
    const last = lastConvolutions(this.source);
    const codesOf = new Map<string, string>();
    for (const node of this.source.nodes) {
      if (node.opType === 'Conv' || node.opType === 'Gemm') {
        const [x, w, ...rest] = node.inputs;
        const isFine = node.opType === 'Gemm' || node === first || last.has(node);
        const weight = isFine ? this.uniformWeight(w) : this.quantizedWeight(w);
        this.nodes.push({ ...node, inputs: [codesOf.get(x) ?? x, weight, ...rest] });
      } else if (!this.isAbsorbed(node, activations)) {
        this.nodes.push(node);
      }
      const output = node.outputs[0];
      const bits = activations.get(output);
      if (bits !== undefined) {
        const source = this.isAbsorbed(node, activations) ? node.inputs[0] : output;
        codesOf.set(output, this.quantizedActivation(output, source, bits, clips.get(output)));
      }
    }
    return { ...this.source, nodes: this.nodes, initializers: this.initializers };
  }

  private isAbsorbed(node: Node, activations: ReadonlyMap<string, number>): boolean {
    const output = node.outputs[0];
    if (node.opType !== 'Relu' || !activations.has(output)) return false;
    const readers = this.source.nodes.filter((n) => n.inputs.includes(output));
    return readers.every((reader) => reader.opType === 'Conv');
  }

  private emit(
    opType: string,
    inputs: string[],
    output: string,
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): string {
    this.nodes.push({ name: output, opType, domain, inputs, outputs: [output], attributes });
    return output;
  }

  private parameter(name: string, values: ArrayLike<number>, shape: readonly number[]): string {
    this.initializers.set(name, floats(values, shape));
    return name;
  }

  private quantize(
    name: string,
    x: string,
    bits: LowBits | 8,
    signed: boolean,
    clip: number,
  ): string {
    const { chainGradient } = this.settings;
    const { intervals, cells } = bits === 8 ? UNIFORM : this.settings;
    const caps = levelCaps[bits];
    const inputs = [
      x,
      this.parameter(`${name}.alpha`, [clip], [1]),
      this.parameter(`${name}.theta`, new Float32Array(intervals), [intervals]),
    ];
    const attributes = {
      bits: { int: bits },
      signed: { int: signed ? 1 : 0 },
      cells: { int: cells },
      chain: { int: chainGradient ? 1 : 0 },
      cap: { float: signed ? caps.weights : caps.activations },
      share: { int: signed ? 1 : ACTIVATION_SHARE },
    };
    return this.emit('Quantize', inputs, `${name}.quantized`, attributes, TRAINING_DOMAIN);
  }

  private quantizedActivation(
    name: string,
    source: string,
    bits: LowBits | 8,
    clip: number | undefined,
  ): string {
    if (clip === undefined || !(clip > 0)) {
      throw new LcqError('INVALID_ARGUMENT', `activation '${name}' has no clip to start from`);
    }
    return this.quantize(name, source, bits, false, clip);
  }

  private quantizedWeight(w: string): string {
    const { weightBits: bits, weightNormalization } = this.settings;
    if (weightNormalization) return this.normalizedWeight(w, bits);
    const deviation = weightDeviation(this.initializers.get(w) as TensorData);
    return this.quantize(w, w, bits, true, WEIGHT_CLIP[bits] * deviation);
  }

  /** Limited weight normalization: w~ = (w - mean) / std is quantized and scaled back by std. */
  private normalizedWeight(w: string, bits: LowBits): string {
    const axes = `${w}.axes`;
    const data = new Uint8Array(BigInt64Array.of(0n, 1n, 2n, 3n).buffer);
    this.initializers.set(axes, { dtype: 'int64', shape: [4], data });
    const floor = this.parameter(`${w}.variance_floor`, [VARIANCE_FLOOR], []);
    const keep = { keepdims: { int: 1 } };
    const mean = this.emit('ReduceMean', [w, axes], `${w}.mean`, keep);
    const centred = this.emit('Sub', [w, mean], `${w}.centred`);
    const square = this.emit('Mul', [centred, centred], `${w}.square`);
    const variance = this.emit('ReduceMean', [square, axes], `${w}.variance`, keep);
    const raised = this.emit('Add', [variance, floor], `${w}.raised`);
    const std = this.emit('Sqrt', [raised], `${w}.std`);
    const normalized = this.emit('Div', [centred, std], `${w}.normalized`);
    const quantized = this.quantize(w, normalized, bits, true, WEIGHT_CLIP[bits]);
    return this.emit('Mul', [quantized, std], `${w}.restored`);
  }

  private uniformWeight(w: string): string {
    const attributes = { steps: { int: LAST_LAYER_STEPS } };
    return this.emit('UniformQuantize', [w], `${w}.quantized`, attributes, TRAINING_DOMAIN);
  }
}

/** Reads `w2a4` as the bits of weights and activations. Throws INVALID_ARGUMENT. */
export function parseBits(text: string): { weightBits: LowBits; activationBits: LowBits } {
  const match = /^w([234])a([234])$/.exec(text);
  if (!match) {
    throw new LcqError('INVALID_ARGUMENT', `bits must be like w2a2, with 2, 3 or 4, not '${text}'`);
  }
  return { weightBits: Number(match[1]) as LowBits, activationBits: Number(match[2]) as LowBits };
}
