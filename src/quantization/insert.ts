import { LcqError } from '../errors.js';
import { levelCaps } from '../lcq/levels.js';
import { VARIANCE_FLOOR } from '../lcq/weight-normalization.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
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
}

export const DEFAULT_INTERVALS = 16;

/** Clips that minimise the squared error of uniform levels on a standard normal, as weights are under LWN. */
export const WEIGHT_CLIP: Readonly<Record<LowBits, number>> = { 2: 0.996, 3: 1.758, 4: 2.346 };
/** Activations are many: a quarter of the batch tells enough of the gradients of their clip and compander. */
const ACTIVATION_SHARE = 4;
const LAST_LAYER_STEPS = 127;

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

/**
 * Inserts LCQ quantizers into a full-precision classifier: on the input and the weights (normalised, LWN) of every
 * convolution but the first; the weights of the first convolution and of the classifier get 8 uniform bits.
 * Companding starts as the identity (theta = 0).
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
    const activations = new Set(quantizedActivations(this.source));
    const first = this.source.nodes.find((node) => node.opType === 'Conv');
    const codesOf = new Map<string, string>();
    for (const node of this.source.nodes) {
      if (node.opType === 'Conv' && node !== first) {
        const codes = codesOf.get(node.inputs[0]) as string;
        this.nodes.push({ ...node, inputs: [codes, this.quantizedWeight(node)] });
      } else if (node === first || node.opType === 'Gemm') {
        const [x, w, ...rest] = node.inputs;
        this.nodes.push({ ...node, inputs: [x, this.uniformWeight(w), ...rest] });
      } else if (!this.isAbsorbed(node, activations)) {
        this.nodes.push(node);
      }
      const output = node.outputs[0];
      if (activations.has(output)) {
        const source = this.isAbsorbed(node, activations) ? node.inputs[0] : output;
        codesOf.set(output, this.quantizedActivation(output, source, clips.get(output)));
      }
    }
    return { ...this.source, nodes: this.nodes, initializers: this.initializers };
  }

  private isAbsorbed(node: Node, activations: ReadonlySet<string>): boolean {
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

  private quantize(name: string, x: string, bits: LowBits, signed: boolean, clip: number): string {
    const { intervals, cells, chainGradient } = this.settings;
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

  private quantizedActivation(name: string, source: string, clip: number | undefined): string {
    if (clip === undefined || !(clip > 0)) {
      throw new LcqError('INVALID_ARGUMENT', `activation '${name}' has no clip to start from`);
    }
    return this.quantize(name, source, this.settings.activationBits, false, clip);
  }

  /** Limited weight normalization: w~ = (w - mean) / std is quantized and scaled back by std. */
  private quantizedWeight(conv: Node): string {
    const w = conv.inputs[1];
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
    const bits = this.settings.weightBits;
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
