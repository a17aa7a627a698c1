import { packCodes, type WeightBits, weightCodeCount } from '../lcq/bit-packing.js';
import { levelCaps, snapLevels, symmetricLevels } from '../lcq/levels.js';
import { LCQ_DOMAIN } from '../onnx/domains.js';
import { elementCount } from '../onnx/elements.js';
import type { Attribute, Model } from '../onnx/graph.js';
import {
  LCQ_OPSET_VERSION,
  lcqFunctions,
  STANDARD_OPSET_VERSION,
} from '../quantization/op-functions.js';
import { ModelWriter } from './model-writer.js';
import {
  type Classifier,
  type Convolution,
  IMAGE_SIZE,
  type MaxPool,
  type Network,
  POOL,
} from './network.js';

const PIXEL_ZERO = 128;
const STREAM_MIN = -32768;
/** A stream's standard deviation in its own units. */
const STREAM_SPREAD = 400;

/**
 * A network of `lcq` operators with random weights, as the exporter would write it: the stem and the classifier at 8
 * bits, all between at `bits`. Input `image` uint8 [N, 224, 224, 3].
 */
export function lcqModel(network: Network, bits: WeightBits): Model {
  return new LcqWriter(network, bits).write();
}

class LcqWriter {
  private readonly network: Network;
  private readonly bits: WeightBits;
  private readonly writer = new ModelWriter();
  /** Layers whose values are added to others. */
  private readonly added: ReadonlySet<string>;
  /** Those and others that need a stream. */
  private readonly streams: ReadonlySet<string>;
  /** Layers whose values may be negative: their codes have a zero point. */
  private readonly linear: ReadonlySet<string>;

  constructor(network: Network, bits: WeightBits) {
    this.network = network;
    this.bits = bits;
    const added = network.layers.flatMap((layer) =>
      layer.kind === 'convolution'
        ? (layer.residual ?? [])
        : layer.kind === 'classifier'
          ? layer.input
          : [],
    );
    const pools = network.layers.filter(
      ({ kind, name }) => kind === 'max-pool' && added.includes(name),
    );
    // At 8 bits all values are streams, as the exporter has it: their thresholds serve all channels.
    const all = bits === 8 ? network.layers.map(({ name }) => name) : [];
    this.added = new Set([...added, ...pools.map(({ input }) => input)]);
    this.streams = new Set([...this.added, ...all]);
    this.linear = new Set(
      network.layers.flatMap((layer) =>
        layer.kind === 'convolution' && layer.ceiling === undefined ? layer.name : [],
      ),
    );
  }

  write(): Model {
    for (const layer of this.network.layers) {
      if (layer.kind === 'convolution') this.convolution(layer);
      else if (layer.kind === 'max-pool') this.maxPool(layer);
      else this.classifier(layer);
    }
    const shape = ['N', IMAGE_SIZE, IMAGE_SIZE, 3];
    const image = { name: 'image', type: { dtype: 'uint8', shape } } as const;
    const opsets = { '': STANDARD_OPSET_VERSION, [LCQ_DOMAIN]: LCQ_OPSET_VERSION };
    return this.writer.model(this.network.name, image, opsets, lcqFunctions);
  }

  private op(
    opType: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    this.writer.node(opType, inputs, outputs, attributes, LCQ_DOMAIN);
  }

  /** Levels of the codes of a value, with their zero point. */
  private inputLevels(value: string): { levels: Uint8Array; zeroPoint: number } {
    if (value === 'image' || value === 'features') {
      const levels = Uint8Array.from({ length: 256 }, (_, code) => code);
      return { levels, zeroPoint: value === 'image' ? PIXEL_ZERO : 0 };
    }
    const steps = 2 ** this.bits - 1;
    const reals = Float64Array.from({ length: steps + 1 }, (_, code) => code / steps);
    const cap = levelCaps[this.bits].activations;
    return {
      levels: Uint8Array.from(snapLevels(reals, cap)),
      zeroPoint: this.linear.has(value) ? Math.ceil(cap / 2) : 0,
    };
  }

  private operands(name: string, x: string, shape: readonly number[], bits: WeightBits): string[] {
    const { writer } = this;
    const count = elementCount(shape);
    const codes = new Uint8Array(count).map(() => writer.random(0, weightCodeCount(bits)));
    const steps = 2 ** (bits - 1) - 1;
    const reals = Float64Array.from({ length: steps + 1 }, (_, q) => q / steps);
    const levels = symmetricLevels(snapLevels(reals, levelCaps[bits].weights));
    return [
      x === 'features' || x === 'image' ? x : `${x}.codes`,
      writer.constant(`${name}.weight`, 'uint8', packCodes(codes, bits)),
      writer.constant(`${name}.weight_levels`, 'int8', levels),
      writer.constant(`${name}.input_levels`, 'uint8', this.inputLevels(x).levels),
    ];
  }

  private convolution(layer: Convolution): void {
    const { name, kernel, stride, group, channels } = layer;
    const shape = [channels, kernel, kernel, layer.inputChannels / group];
    const bits = layer.input === 'image' ? 8 : this.bits;
    const { levels, zeroPoint } = this.inputLevels(layer.input);
    const attributes = {
      weight_shape: { ints: shape },
      weight_bits: { int: bits },
      strides: { ints: [stride, stride] },
      pads: { ints: new Array(4).fill((kernel - 1) / 2) },
      dilations: { ints: [1, 1] },
      group: { int: group },
      input_zero_point: { int: zeroPoint },
    };
    const operands = this.operands(name, layer.input, shape, bits);
    const depth = elementCount(shape.slice(1));
    const spread =
      (Math.sqrt(depth) * levels[levels.length - 1] * levelCaps[bits].weights) / Math.sqrt(12);
    if (this.streams.has(name) || layer.residual !== undefined) {
      this.stream(layer, operands, attributes, spread);
      return;
    }
    const steps = 2 ** this.bits - 1;
    const base = layer.ceiling === undefined ? -(steps + 1) / 2 : 0;
    const thresholds = new Int32Array(channels * steps).map((_, i) =>
      Math.round((spread * 2 * (base + (i % steps) + 0.5)) / steps),
    );
    operands.push(
      this.writer.constant(`${name}.thresholds`, 'int32', thresholds, [channels, steps]),
    );
    this.op('LcqConv', operands, [`${name}.codes`], attributes);
  }

  private stream(
    { name, residual, ceiling, channels }: Convolution,
    operands: string[],
    attributes: Readonly<Record<string, Attribute>>,
    spread: number,
  ): void {
    const { writer } = this;
    const scale = new Float32Array(channels).fill(STREAM_SPREAD / spread);
    const bias = writer.randomFloats([channels], STREAM_SPREAD / 4);
    const read = this.network.layers.some(
      ({ kind, input }) => input === name && kind !== 'classifier',
    );
    const steps = read ? 2 ** this.bits - 1 : 0;
    const base = ceiling === undefined ? -(steps + 1) / 2 : 0;
    // The exporter puts thresholds of 8 bits a power of two apart where nothing else reads the stream.
    const exact = (STREAM_SPREAD * 2) / steps;
    const distance =
      this.bits === 8 && !this.added.has(name) ? 2 ** Math.round(Math.log2(exact)) : exact;
    const thresholds = new Int32Array(steps).map((_, t) => Math.round(distance * (base + t + 0.5)));
    const inputs = [
      ...operands,
      writer.constant(`${name}.scale`, 'float32', scale),
      writer.constant(`${name}.bias`, 'float32', bias),
      ...(residual === undefined ? [] : [`${residual}.stream`]),
      writer.constant(`${name}.stream_thresholds`, 'int32', thresholds),
    ];
    this.op(
      residual === undefined ? 'LcqConvStream' : 'LcqConvAdd',
      inputs,
      [`${name}.stream`, `${name}.codes`],
      {
        ...attributes,
        output_min: { int: ceiling === undefined ? STREAM_MIN : 0 },
        ...(residual !== undefined && { residual_stride: { int: 1 }, residual_offset: { int: 0 } }),
      },
    );
  }

  private maxPool({ name, input }: MaxPool): void {
    const attributes = {
      kernel_shape: { ints: [POOL.kernel, POOL.kernel] },
      strides: { ints: [POOL.stride, POOL.stride] },
      pads: { ints: new Array(4).fill(POOL.pad) },
    };
    this.op('LcqMaxPool', [`${input}.codes`], [`${name}.codes`], attributes);
    if (!this.streams.has(name)) return;
    this.op('LcqMaxPoolStream', [`${input}.stream`], [`${name}.stream`], attributes);
  }

  private classifier({ name, input, inputChannels, channels, pixels }: Classifier): void {
    const { writer } = this;
    const scale = { scale: { float: Math.fround(64 / (STREAM_SPREAD * pixels)) } };
    this.op('LcqGlobalAveragePool', [`${input}.stream`], ['features'], scale);
    const shape = [channels, inputChannels];
    const operands = [
      ...this.operands(name, 'features', shape, 8),
      writer.constant(`${name}.scale`, 'float32', new Float32Array(channels).fill(1e-4)),
      writer.constant(`${name}.bias`, 'float32', writer.randomFloats([channels], 1)),
    ];
    this.op('LcqGemm', operands, ['logits'], {
      weight_shape: { ints: shape },
      weight_bits: { int: 8 },
    });
  }
}
