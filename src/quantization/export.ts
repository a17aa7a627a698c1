import { packCodes } from '../lcq/bit-packing.js';
import { intAttribute, intsAttribute } from '../onnx/attributes.js';
import { LCQ_DOMAIN } from '../onnx/domains.js';
import { elementsOf, tensorOf } from '../onnx/elements.js';
import type { Attribute, Graph, Model, Node, TensorData } from '../onnx/graph.js';
import {
  accumulatorThresholds,
  type FoldedNorm,
  foldNorm,
  realThresholds,
  streamThresholds,
} from './fold.js';
import {
  channelsLast,
  gridOf,
  type LayerWeights,
  layerWeights,
  negateChannels,
} from './layer-weights.js';
import { LCQ_OPSET_VERSION, lcqFunctions, STANDARD_OPSET_VERSION } from './op-functions.js';
import { rangedValues, residualOf, streamOf } from './residual-stream.js';
import { Topology, unsupported } from './topology.js';

const IR_VERSION = 10;
const STREAM_MIN = -32768;
const STREAM_MAX = 32767;
/** The part of the stream's range that calibration fills: test images may go a little beyond training ones. */
const STREAM_FILL = 0.75;
const POOL_STEPS = 255;

/**
 * Turns a trained, quantized classifier (see insert.ts) into a model of `lcq` operators: weights packed, batch
 * normalization and quantizers folded into integer thresholds, ReLU into the lower end of the residual stream.
 * @param imageSize height and width of the images that the model will take
 * @param ranges the largest magnitude of each of `rangedValues`, observed on training images
 * @throws LcqError UNSUPPORTED naming the node that has no integer form
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
  private readonly unit: number;
  private readonly nodes: Node[] = [];
  private readonly initializers = new Map<string, TensorData>();
  private readonly imageSize: readonly [number, number];
  /** Height and width of the values emitted so far. */
  private readonly sizes = new Map<string, readonly number[]>();
  private readonly emittedStreams = new Set<string>();

  constructor(
    source: Graph,
    imageSize: readonly [number, number],
    ranges: ReadonlyMap<string, number>,
  ) {
    this.source = source;
    this.imageSize = imageSize;
    this.sizes.set(source.inputs[0].name, imageSize);
    this.topology = new Topology(source);
    this.ranges = ranges;
    const largest = Math.max(...rangedValues(source).streams.map((name) => this.rangeOf(name)));
    // One unit for all: streams that are added to one another must agree, and in a residual network all are.
    this.unit = largest / (STREAM_FILL * STREAM_MAX);
  }

  run(): Model {
    for (const node of this.source.nodes) {
      if (node.opType === 'Conv') this.convolution(node);
      if (node.opType === 'GlobalAveragePool') this.classifier(node);
    }
    const used = new Set(this.nodes.map((node) => node.opType));
    const [image] = this.source.inputs;
    const type = { dtype: image.type.dtype, shape: ['N', ...this.imageSize, 3] };
    return {
      irVersion: IR_VERSION,
      producer: 'lcq-serving',
      opsets: { '': STANDARD_OPSET_VERSION, [LCQ_DOMAIN]: LCQ_OPSET_VERSION },
      graph: {
        name: this.source.name,
        inputs: [{ name: image.name, type }],
        outputs: this.source.outputs,
        initializers: this.initializers,
        nodes: this.nodes,
      },
      functions: lcqFunctions.filter((f) => used.has(f.name)),
      metadata: { 'lcq.quantizers': JSON.stringify(this.quantizers()) },
    };
  }

  private rangeOf(name: string): number {
    const range = this.ranges.get(name);
    if (range === undefined || !(range > 0))
      throw new TypeError(`no range was observed for '${name}'`);
    return range;
  }

  private tensor(name: string, tensor: TensorData): string {
    this.initializers.set(name, tensor);
    return name;
  }

  private emit(
    opType: string,
    name: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, Attribute>,
  ): void {
    this.nodes.push({ name, opType, domain: LCQ_DOMAIN, inputs, outputs, attributes });
  }

  /** Weights, levels and geometry, the part that all convolutions share. */
  private operands(
    name: string,
    x: string,
    weights: LayerWeights,
    order: Uint8Array,
    inputLevels: Uint8Array,
  ) {
    const packed = packCodes(order, weights.bits);
    return [
      x,
      this.tensor(`${name}.weight`, tensorOf('uint8', [packed.length], packed)),
      this.tensor(
        `${name}.weight_levels`,
        tensorOf('int8', [weights.levels.length], weights.levels),
      ),
      this.tensor(`${name}.input_levels`, tensorOf('uint8', [inputLevels.length], inputLevels)),
    ];
  }

  private convolution(conv: Node): void {
    const { name } = conv;
    const input = this.convolutionInput(conv);
    const trained = layerWeights(this.topology, conv);
    const norm = this.topology.expectReader(conv.outputs[0], 'BatchNormalization', conv);
    const unit = trained.scale.map((scale) => scale * input.scale);
    const folded = foldNorm(this.source, norm, unit);
    const weights = negateChannels(trained, folded.negated);
    const [m, c, kh, kw] = weights.shape;
    const operands = this.operands(name, input.value, weights, channelsLast(weights), input.levels);
    const attributes = {
      weight_shape: { ints: [m, kh, kw, c] },
      weight_bits: { int: weights.bits },
      strides: { ints: intsAttribute(conv, 'strides') },
      pads: { ints: intsAttribute(conv, 'pads') },
      dilations: { ints: intsAttribute(conv, 'dilations') },
      group: { int: intAttribute(conv, 'group') },
      input_zero_point: { int: input.zeroPoint },
    };
    const size = this.outputSize(input.value, [kh, kw], conv);
    const stream = streamOf(this.topology, norm);
    if (stream === undefined) this.codesOnly(name, norm, folded, operands, attributes);
    else this.streaming(name, norm, folded, operands, attributes);
    for (const output of this.nodes[this.nodes.length - 1].outputs) this.sizes.set(output, size);
  }

  private outputSize(input: string, kernel: readonly number[], conv: Node): readonly number[] {
    const [strides, pads, dilations] = ['strides', 'pads', 'dilations'].map((attribute) =>
      intsAttribute(conv, attribute),
    );
    const size = this.sizes.get(input) as readonly number[];
    return size.map((length, axis) => {
      const reach = dilations[axis] * (kernel[axis] - 1) + 1;
      return Math.floor((length + pads[axis] + pads[axis + 2] - reach) / strides[axis]) + 1;
    });
  }

  private codesOnly(
    name: string,
    norm: Node,
    folded: FoldedNorm,
    operands: string[],
    attributes: Record<string, Attribute>,
  ): void {
    const quantize = this.topology.expectReader(norm.outputs[0], 'Quantize', norm);
    const reals = realThresholds(gridOf(this.topology, quantize).grid);
    const rows = accumulatorThresholds(folded, reals);
    const shape = [folded.gain.length, reals.length];
    const thresholds = this.tensor(`${name}.thresholds`, tensorOf('int32', shape, rows));
    this.emit('LcqConv', name, [...operands, thresholds], [quantize.outputs[0]], attributes);
  }

  private streaming(
    name: string,
    norm: Node,
    folded: FoldedNorm,
    operands: string[],
    attributes: Record<string, Attribute>,
  ): void {
    const { unit } = this;
    const m = folded.gain.length;
    const scale = Float32Array.from(folded.gain, (g) => g / unit);
    const bias = Float32Array.from(folded.offset, (o) => o / unit);
    const inputs = [
      ...operands,
      this.tensor(`${name}.scale`, tensorOf('float32', [m], scale)),
      this.tensor(`${name}.bias`, tensorOf('float32', [m], bias)),
    ];
    let value = norm.outputs[0];
    const add = this.topology.soleReader(value, 'Add');
    const other = add?.inputs.find((operand) => operand !== value);
    const residual = other && residualOf(this.topology, other, m, this.emittedStreams);
    if (add && residual) {
      inputs.push(residual.stream);
      value = add.outputs[0];
    }
    const relu = this.topology.soleReader(value, 'Relu');
    if (relu) value = relu.outputs[0];
    const { codes, thresholds } = this.streamCodes(value);
    inputs.push(
      this.tensor(`${name}.stream_thresholds`, tensorOf('int32', [thresholds.length], thresholds)),
    );
    const all = {
      ...attributes,
      output_min: { int: relu ? 0 : STREAM_MIN },
      ...(residual
        ? { residual_stride: { int: residual.stride }, residual_offset: { int: residual.offset } }
        : {}),
    };
    this.emit(residual ? 'LcqConvAdd' : 'LcqConvStream', name, inputs, [value, codes], all);
    this.emittedStreams.add(value);
  }

  /** The codes that a stream is also read as. */
  private streamCodes(stream: string): { codes: string; thresholds: Int32Array } {
    const quantizers = this.topology.readers(stream).filter((node) => node.opType === 'Quantize');
    if (quantizers.length > 1)
      throw unsupported(quantizers[1], `'${stream}' has another quantizer`);
    if (!quantizers.length) return { codes: `${stream}.unread`, thresholds: new Int32Array() };
    const reals = realThresholds(gridOf(this.topology, quantizers[0]).grid);
    return { codes: quantizers[0].outputs[0], thresholds: streamThresholds(reals, this.unit) };
  }

  private convolutionInput(conv: Node) {
    const producer = this.topology.producer(conv.inputs[0]);
    if (producer?.opType === 'Quantize') {
      const { grid, scale } = gridOf(this.topology, producer);
      const levels = Uint8Array.from(grid.levels);
      return { value: producer.outputs[0], levels, scale, zeroPoint: 0 };
    }
    // The image: Transpose(Mul(Sub(Cast(pixels), zero), scale)).
    const transpose = this.topology.expect(conv.inputs[0], 'Transpose', conv);
    const mul = this.topology.expect(transpose.inputs[0], 'Mul', transpose);
    const sub = this.topology.expect(mul.inputs[0], 'Sub', mul);
    const cast = this.topology.expect(sub.inputs[0], 'Cast', sub);
    const scalar = (node: Node) => {
      const tensor = this.source.initializers.get(node.inputs[1]);
      if (!tensor) throw unsupported(node, 'its second input must be an initializer');
      return elementsOf(tensor, 'float32')[0];
    };
    return {
      value: cast.inputs[0],
      levels: Uint8Array.from({ length: 256 }, (_, i) => i),
      scale: scalar(mul),
      zeroPoint: scalar(sub),
    };
  }

  /** GlobalAveragePool, Flatten, Gemm: pooled features are 8 uniform bits. */
  private classifier(pool: Node): void {
    const flatten = this.topology.expectReader(pool.outputs[0], 'Flatten', pool);
    const gemm = this.topology.expectReader(flatten.outputs[0], 'Gemm', flatten);
    const stream = pool.inputs[0];
    if (!this.emittedStreams.has(stream)) throw unsupported(pool, 'its input is not a stream');
    const featureScale = this.rangeOf(pool.outputs[0]) / POOL_STEPS;
    const [height, width] = this.sizes.get(stream) as readonly number[];
    this.emit('LcqGlobalAveragePool', pool.name, [stream], [flatten.outputs[0]], {
      scale: { float: Math.fround(this.unit / (height * width * featureScale)) },
    });
    const weights = layerWeights(this.topology, gemm);
    const [m] = weights.shape;
    const levels = Uint8Array.from({ length: POOL_STEPS + 1 }, (_, i) => i);
    const bias = this.source.initializers.get(gemm.inputs[2]);
    if (!bias) throw unsupported(gemm, 'its bias must be an initializer');
    const scale = Float32Array.from(weights.scale, (s) => s * featureScale);
    const name = gemm.inputs[1].replace(/\.weight\..*$/, '');
    this.emit(
      'LcqGemm',
      name,
      [
        ...this.operands(name, flatten.outputs[0], weights, weights.codes, levels),
        this.tensor(`${name}.scale`, tensorOf('float32', [m], scale)),
        this.tensor(`${name}.bias`, bias),
      ],
      [gemm.outputs[0]],
      { weight_shape: { ints: weights.shape }, weight_bits: { int: weights.bits } },
    );
  }

  /** alpha and theta of every quantizer, for reports: deployment does not need them. */
  private quantizers() {
    const rows = this.source.nodes.filter((node) => node.opType === 'Quantize');
    return rows.map((node) => {
      const [alpha, theta] = node.inputs.slice(1).map((name) => {
        const tensor = this.source.initializers.get(name) as TensorData;
        return Array.from(elementsOf(tensor, 'float32'));
      });
      return { name: node.name, bits: intAttribute(node, 'bits'), alpha: alpha[0], theta };
    });
  }
}
