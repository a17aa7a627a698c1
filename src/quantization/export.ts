import { packCodes } from '../lcq/bit-packing.js';
import { intAttribute } from '../onnx/attributes.js';
import { GraphBuilder } from '../onnx/builder.js';
import { LCQ_DOMAIN, TRAINING_DOMAIN } from '../onnx/domains.js';
import { elementsOf, tensorOf } from '../onnx/elements.js';
import type { Attribute, Dim, Graph, Model, Node, TensorData } from '../onnx/graph.js';
import { lcqValueTypes } from '../onnx/lcq-shapes.js';
import { lower } from '../training/autodiff.js';
import { windowOf } from '../training/gradients/conv.js';
import { deployedInput, imagePreparation } from './deployed-input.js';
import { ExportedGraph } from './exported-graph.js';
import {
  accumulatorThresholds,
  type FoldedNorm,
  foldBias,
  foldNorm,
  realThresholds,
  shiftedUnit,
  streamThresholds,
} from './fold.js';
import { type LayerEnding, layerEndings, rangeOf, streamUnits } from './layer-ending.js';
import {
  channelsLast,
  gridOf,
  type LayerWeights,
  layerWeights,
  negateChannels,
} from './layer-weights.js';
import { LCQ_OPSET_VERSION, lcqFunctions, STANDARD_OPSET_VERSION } from './op-functions.js';
import { Topology, unsupported } from './topology.js';

const IR_VERSION = 10;
const STREAM_MIN = -32768;
const POOL_STEPS = 255;
const EVERY_VALUE = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/**
 * Turns a quantized classifier (see insert.ts and post-training/insert.ts) into a model of `lcq` operators: weights
 * packed, normalization or bias, activation functions and quantizers folded into integer thresholds. What has no
 * integer form stays in full precision, with conversions around it.
 * @param imageSize height and width of the images that the model will take
 * @param ranges the largest magnitude of each of `rangedValues`, observed on training images
 * @throws LcqError UNSUPPORTED naming the node that cannot be exported
 */
export function exportModel(
  graph: Graph,
  imageSize: readonly [number, number],
  ranges: ReadonlyMap<string, number>,
): Model {
  return new Exporter(graph, imageSize, ranges).run();
}

class Exporter {
  private readonly source: Graph;
  private readonly topology: Topology;
  private readonly ranges: ReadonlyMap<string, number>;
  private readonly endings: ReadonlyMap<Node, LayerEnding>;
  private readonly units: ReadonlyMap<string, number>;
  private readonly imageShape: readonly number[];
  private readonly out = new ExportedGraph();
  /** Nodes that an operator emitted before stands for. */
  private readonly replaced = new Set<Node>();
  /** Values that depend on initializers alone: weights on their way through their quantizers. */
  private readonly constants: Set<string>;
  /** Inferred when they are first asked for. */
  private shapesOfOne: ReadonlyMap<string, readonly number[]> | undefined;

  constructor(
    source: Graph,
    [height, width]: readonly [number, number],
    ranges: ReadonlyMap<string, number>,
  ) {
    this.source = source;
    this.topology = new Topology(source);
    this.ranges = ranges;
    this.endings = layerEndings(this.topology);
    this.units = new Map([...streamUnits(this.endings.values(), ranges), ...this.shiftedUnits()]);
    this.constants = new Set(source.initializers.keys());
    const chw = source.inputs[0].type.dtype === 'float32';
    this.imageShape = chw ? [3, height, width] : [height, width, 3];
  }

  run(): Model {
    const [image] = this.source.inputs;
    if (image.type.dtype === 'float32') this.out.defineReals(image.name);
    else for (const node of imagePreparation(this.topology)) this.replaced.add(node);
    for (const node of this.source.nodes) this.node(node);
    const used = new Set(this.out.nodes.map((node) => node.opType));
    const type = { dtype: image.type.dtype, shape: ['N', ...this.imageShape] };
    for (const { name } of this.source.outputs) this.out.outputReals(name);
    return {
      irVersion: IR_VERSION,
      producer: 'lcq-serving',
      opsets: { '': STANDARD_OPSET_VERSION, [LCQ_DOMAIN]: LCQ_OPSET_VERSION },
      graph: {
        name: this.source.name,
        inputs: [{ name: image.name, type }],
        outputs: this.source.outputs,
        initializers: this.out.initializers,
        nodes: this.out.nodes,
        values: lcqValueTypes(this.out.nodes, [[image.name, type.shape], ...this.realShapes()]),
      },
      functions: lcqFunctions.filter((f) => used.has(f.name)),
      metadata: { 'lcq.quantizers': JSON.stringify(this.quantizers()) },
    };
  }

  /** Units of streams that are there for the sake of fine codes. */
  private *shiftedUnits(): Iterable<[string, number]> {
    for (const { value, quantize, streams, codesOnly } of this.endings.values()) {
      if (!streams || !codesOnly) continue;
      const unit = shiftedUnit(gridOf(this.topology, quantize as Node).grid);
      if (unit !== undefined) yield [value, unit];
    }
  }

  private node(node: Node): void {
    if (this.replaced.has(node)) return;
    if (node.inputs.every((name) => name === '' || this.constants.has(name))) {
      for (const output of node.outputs) this.constants.add(output);
      return;
    }
    if (this.endings.has(node)) this.convolution(node, this.endings.get(node) as LayerEnding);
    else if (node.opType === 'GlobalAveragePool' && this.quantizedClassifier(node)) {
      this.classifier(node, this.quantizedClassifier(node) as Node);
    } else if (node.domain === TRAINING_DOMAIN) this.quantizeReals(node);
    else if (node.opType === 'Resize') this.out.resize(node, this.shapes());
    else this.out.fullPrecision(node, this.source);
  }

  private convolution(conv: Node, ending: LayerEnding): void {
    const { name } = conv;
    const input = deployedInput(this.topology, conv);
    const trained = layerWeights(this.topology, conv);
    const unit = trained.scale.map((scale) => scale * input.scale);
    const folded = this.fold(conv, ending, unit);
    const weights = negateChannels(trained, folded.negated);
    const [m, c, kh, kw] = weights.shape;
    const operands = this.operands(name, input.value, weights, channelsLast(weights), input.levels);
    const { strides, pads, dilations } = windowOf(conv);
    const attributes = {
      weight_shape: { ints: [m, kh, kw, c] },
      weight_bits: { int: weights.bits },
      strides: { ints: strides },
      pads: { ints: pads },
      dilations: { ints: dilations },
      group: { int: intAttribute(conv, 'group', 1) },
      input_zero_point: { int: input.zeroPoint },
    };
    if (ending.streams) this.streaming(name, ending, folded, operands, attributes);
    else this.codesOnly(name, ending, folded, operands, attributes);
    for (const node of ending.nodes) this.replaced.add(node);
  }

  private fold(conv: Node, { norm }: LayerEnding, unit: Float64Array): FoldedNorm {
    const bias = this.source.initializers.get(conv.inputs[2] ?? '');
    if (norm && bias) throw unsupported(conv, 'it has a bias and a normalization');
    if (norm) return foldNorm(this.source, norm, unit);
    return foldBias(bias && elementsOf(bias, 'float32'), unit);
  }

  /** Weights and levels, the part that all operators with weights share. */
  private operands(
    name: string,
    x: string,
    weights: LayerWeights,
    order: Uint8Array,
    inputLevels: Uint8Array,
  ): string[] {
    const { bits, levels } = weights;
    const packed = packCodes(order, bits);
    return [
      x,
      this.out.tensor(`${name}.weight`, tensorOf('uint8', [packed.length], packed)),
      this.out.tensor(`${name}.weight_levels`, tensorOf('int8', [levels.length], levels)),
      this.out.tensor(`${name}.input_levels`, tensorOf('uint8', [inputLevels.length], inputLevels)),
    ];
  }

  private codesOnly(
    name: string,
    { quantize, activation }: LayerEnding,
    folded: FoldedNorm,
    operands: string[],
    attributes: Record<string, Attribute>,
  ): void {
    const { grid } = gridOf(this.topology, quantize as Node);
    const reals = realThresholds(grid, activation);
    const rows = accumulatorThresholds(folded, reals);
    const shape = [folded.gain.length, reals.length];
    const thresholds = this.out.tensor(`${name}.thresholds`, tensorOf('int32', shape, rows));
    const codes = (quantize as Node).outputs[0];
    this.out.emit('LcqConv', name, [...operands, thresholds], [codes], attributes);
    this.out.defineCodes(codes);
  }

  private streaming(
    name: string,
    { value, residual, quantize, activation }: LayerEnding,
    folded: FoldedNorm,
    operands: string[],
    attributes: Record<string, Attribute>,
  ): void {
    const unit = this.units.get(value) as number;
    // A graph output is converted to reals, and those have its name.
    const stream = this.topology.isOutput(value) ? `${value}.stream` : value;
    const m = folded.gain.length;
    const scale = Float32Array.from(folded.gain, (g) => g / unit);
    const bias = Float32Array.from(folded.offset, (o) => o / unit);
    const thresholds = quantize
      ? streamThresholds(realThresholds(gridOf(this.topology, quantize).grid, activation), unit)
      : new Int32Array();
    const codes = quantize ? quantize.outputs[0] : `${value}.unread`;
    const inputs = [
      ...operands,
      this.out.tensor(`${name}.scale`, tensorOf('float32', [m], scale)),
      this.out.tensor(`${name}.bias`, tensorOf('float32', [m], bias)),
      ...(residual ? [this.out.stream(residual.stream)] : []),
      this.out.tensor(
        `${name}.stream_thresholds`,
        tensorOf('int32', [thresholds.length], thresholds),
      ),
    ];
    this.out.emit(residual ? 'LcqConvAdd' : 'LcqConvStream', name, inputs, [stream, codes], {
      ...attributes,
      output_min: { int: activation.low === 0 ? 0 : STREAM_MIN },
      ...(residual && {
        residual_stride: { int: residual.stride },
        residual_offset: { int: residual.offset },
      }),
    });
    this.out.defineStream(value, stream, unit);
    this.out.defineCodes(codes);
  }

  /** Codes of a value that is real here: an image, or what a layer in full precision gave. */
  private quantizeReals(quantize: Node): void {
    const [value] = quantize.inputs;
    const reals = realThresholds(gridOf(this.topology, quantize).grid, EVERY_VALUE);
    const lowest = -(2 - 2 ** -23) * 2 ** 127;
    const thresholds = Float32Array.from(reals, (t) => Math.max(lowest, t));
    const name = `${quantize.name}.thresholds`;
    const table = this.out.tensor(name, tensorOf('float32', [thresholds.length], thresholds));
    const inputs = [this.out.reals(value), table];
    this.out.emit('LcqQuantize', quantize.name, inputs, [quantize.outputs[0]], {});
    this.out.defineCodes(quantize.outputs[0]);
  }

  /** The Gemm with quantized weights that a pooling feeds by way of a Flatten. */
  private quantizedClassifier(pool: Node): Node | undefined {
    const flatten = this.topology.soleReader(pool.outputs[0], 'Flatten');
    const gemm = flatten && this.topology.soleReader(flatten.outputs[0], 'Gemm');
    return gemm && !this.source.initializers.has(gemm.inputs[1]) ? gemm : undefined;
  }

  /** GlobalAveragePool, Flatten, Gemm: pooled features are 8 uniform bits. */
  private classifier(pool: Node, gemm: Node): void {
    const stream = pool.inputs[0];
    const unit = this.units.get(stream);
    const ending = [...this.endings.values()].find(({ value }) => value === stream);
    if (unit === undefined || ending?.activation.low !== 0) {
      throw unsupported(pool, 'its input is not a stream of values from 0 on');
    }
    const featureScale = rangeOf(this.ranges, pool.outputs[0]) / POOL_STEPS;
    const [, , height, width] = this.shapes().get(stream) as readonly number[];
    const features = gemm.inputs[0];
    this.out.emit('LcqGlobalAveragePool', pool.name, [this.out.stream(stream)], [features], {
      scale: { float: Math.fround(unit / (height * width * featureScale)) },
    });
    const weights = layerWeights(this.topology, gemm);
    const [m] = weights.shape;
    const levels = Uint8Array.from({ length: POOL_STEPS + 1 }, (_, i) => i);
    const bias = this.source.initializers.get(gemm.inputs[2]);
    if (!bias) throw unsupported(gemm, 'its bias must be an initializer');
    const scale = Float32Array.from(weights.scale, (s) => s * featureScale);
    const name = gemm.inputs[1].replace(/\.weight\..*$/, '');
    const inputs = [
      ...this.operands(name, features, weights, weights.codes, levels),
      this.out.tensor(`${name}.scale`, tensorOf('float32', [m], scale)),
      this.out.tensor(`${name}.bias`, bias),
    ];
    this.out.emit('LcqGemm', name, inputs, gemm.outputs, {
      weight_shape: { ints: weights.shape },
      weight_bits: { int: weights.bits },
    });
    this.out.defineReals(gemm.outputs[0]);
    this.replaced.add(this.topology.producer(features) as Node).add(gemm);
  }

  /** Shapes of the values of the source graph, for one image. */
  private shapes(): ReadonlyMap<string, readonly number[]> {
    this.shapesOfOne ??= this.inferShapes();
    return this.shapesOfOne;
  }

  private inferShapes(): Map<string, readonly number[]> {
    const b = new GraphBuilder('shapes');
    const [image] = this.source.inputs;
    const value = b.input(image.name, [1, ...this.imageShape], image.type.dtype);
    const { values } = lower(b, this.source, new Map([[image.name, value]]), new Set(), false);
    return new Map([...values].map(([name, { shape }]) => [name, shape]));
  }

  /** Shapes of the values of the source graph, for batches of any size. */
  private realShapes(): [string, Dim[]][] {
    return Array.from(this.shapes(), ([name, [, ...rest]]) => [name, ['N', ...rest]]);
  }

  /**
   * alpha and theta of every quantizer, for reports: deployment does not need them. Each is named as what it made is in
   * the exported graph: the codes, or a layer's packed weights.
   */
  private quantizers() {
    const rows = this.source.nodes.filter((node) => node.opType === 'Quantize');
    return rows.map((node) => {
      const [alpha, theta] = node.inputs.slice(1).map((name) => {
        const tensor = this.source.initializers.get(name) as TensorData;
        return Array.from(elementsOf(tensor, 'float32'));
      });
      return {
        name: this.exportedName(node),
        bits: intAttribute(node, 'bits'),
        alpha: alpha[0],
        theta,
      };
    });
  }

  private exportedName(quantize: Node): string {
    const [codes] = quantize.outputs;
    const weights = this.topology.soleReader(codes, 'Mul')?.outputs[0] ?? codes;
    const conv = this.topology.soleReader(weights, 'Conv');
    return conv?.inputs[1] === weights ? `${conv.name}.weight` : quantize.name;
  }
}
