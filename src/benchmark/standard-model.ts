import type { Attribute, Model } from '../onnx/graph.js';
import { ModelWriter } from './model-writer.js';
import { type Classifier, type Convolution, IMAGE_SIZE, type Network, POOL } from './network.js';

/** Of the pixels, of activations from 0 on, and of linear ones around 128. */
const SCALES = { image: 0.02, activation: 0.03, linear: 0.06 } as const;
const LINEAR_ZERO = 128;
const OPSET_VERSION = 17;

/**
 * A network in standard ONNX with random weights. Input `image` float32 [N, 3, 224, 224].
 *
 * The form 'int8' is what onnxruntime's quantizer makes (QDQ: u8 activations, s8 weights for each channel, s32
 * biases), which it runs as QLinearConv.
 */
export function standardModel(network: Network, form: 'fp32' | 'int8'): Model {
  return new StandardWriter(form === 'int8').write(network);
}

class StandardWriter {
  private readonly quantized: boolean;
  private readonly writer = new ModelWriter();
  /** The value that readers of a layer take, and its scale. */
  private readonly values = new Map<string, { name: string; scale: number }>();

  constructor(quantized: boolean) {
    this.quantized = quantized;
  }

  write({ name, layers }: Network): Model {
    this.quantize('image', 'image', SCALES.image, LINEAR_ZERO);
    for (const layer of layers) {
      if (layer.kind === 'convolution') this.convolution(layer);
      else if (layer.kind === 'max-pool') this.maxPool(layer.name, layer.input);
      else this.classifier(layer);
    }
    const shape = ['N', 3, IMAGE_SIZE, IMAGE_SIZE];
    const image = { name: 'image', type: { dtype: 'float32', shape } } as const;
    return this.writer.model(name, image, { '': OPSET_VERSION }, []);
  }

  /** Makes `value` what readers of `layer` take, by way of 8 bits in the quantized form. */
  private quantize(layer: string, value: string, scale: number, zeroPoint: number): string {
    const { writer } = this;
    let name = value;
    if (this.quantized) {
      const grid = [
        writer.constant(`${value}.scale`, 'float32', Float32Array.of(scale), []),
        writer.constant(`${value}.zero`, 'uint8', Uint8Array.of(zeroPoint), []),
      ];
      const codes = writer.node('QuantizeLinear', [value, ...grid], [`${value}.codes`]);
      name = writer.node('DequantizeLinear', [codes, ...grid], [`${value}.quantized`]);
    }
    this.values.set(layer, { name, scale });
    return name;
  }

  private read(layer: string): { name: string; scale: number } {
    return this.values.get(layer) as { name: string; scale: number };
  }

  /** Weights [M, ...] and bias [M]. */
  private weights(name: string, shape: readonly number[], inputScale: number): string[] {
    const { writer } = this;
    const [outputs] = shape;
    const depth = shape.slice(1).reduce((a, b) => a * b);
    const magnitude = Math.sqrt(6 / depth);
    if (!this.quantized) {
      const bias = writer.randomFloats([outputs], 0.05);
      return [
        writer.constant(`${name}.weight`, 'float32', writer.randomFloats(shape, magnitude), shape),
        writer.constant(`${name}.bias`, 'float32', bias),
      ];
    }
    const codes = new Int8Array(outputs * depth).map(() => Math.round(writer.random(-127, 127)));
    const scale = new Float32Array(outputs).fill(magnitude / 127);
    const bias = new Int32Array(outputs).map(() => Math.round(writer.random(-200, 200)));
    const biasScale = scale.map((s) => s * inputScale);
    const axis = { axis: { int: 0 } };
    const dequantized = (operand: string, tensors: string[]) =>
      writer.node('DequantizeLinear', tensors, [`${name}.${operand}`], axis);
    return [
      dequantized('weight', [
        writer.constant(`${name}.weight.codes`, 'int8', codes, shape),
        writer.constant(`${name}.weight.scale`, 'float32', scale),
        writer.constant(`${name}.weight.zero`, 'int8', new Int8Array(outputs)),
      ]),
      dequantized('bias', [
        writer.constant(`${name}.bias.codes`, 'int32', bias),
        writer.constant(`${name}.bias.scale`, 'float32', biasScale),
        writer.constant(`${name}.bias.zero`, 'int32', new Int32Array(outputs)),
      ]),
    ];
  }

  private convolution(layer: Convolution): void {
    const { name, kernel, stride, group, residual, ceiling } = layer;
    const { writer } = this;
    const input = this.read(layer.input);
    const shape = [layer.channels, layer.inputChannels / group, kernel, kernel];
    const attributes: Record<string, Attribute> = {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [stride, stride] },
      pads: { ints: new Array(4).fill((kernel - 1) / 2) },
      group: { int: group },
    };
    const operands = [input.name, ...this.weights(name, shape, input.scale)];
    let value = writer.node('Conv', operands, [name], attributes);
    if (residual !== undefined) {
      const sum = [
        this.quantize(name, value, SCALES.linear, LINEAR_ZERO),
        this.read(residual).name,
      ];
      value = writer.node('Add', sum, [`${name}.sum`]);
    }
    if (ceiling === undefined) {
      this.quantize(name, value, SCALES.linear, LINEAR_ZERO);
      return;
    }
    // A clip that is the range of the codes is one that onnxruntime fuses.
    const scale = ceiling === Infinity ? SCALES.activation : ceiling / 255;
    this.quantize(name, this.activation(name, value, ceiling), scale, 0);
  }

  private activation(name: string, value: string, ceiling: number): string {
    const output = [`${name}.activation`];
    if (ceiling === Infinity) return this.writer.node('Relu', [value], output);
    const ends = [0, ceiling].map((end) =>
      this.writer.constant(`${name}.clip${end}`, 'float32', Float32Array.of(end), []),
    );
    return this.writer.node('Clip', [value, ...ends], output);
  }

  private maxPool(name: string, input: string): void {
    const attributes = {
      kernel_shape: { ints: [POOL.kernel, POOL.kernel] },
      strides: { ints: [POOL.stride, POOL.stride] },
      pads: { ints: new Array(4).fill(POOL.pad) },
    };
    const { name: value, scale } = this.read(input);
    this.quantize(name, this.writer.node('MaxPool', [value], [name], attributes), scale, 0);
  }

  private classifier({ name, input, inputChannels, channels }: Classifier): void {
    const { writer } = this;
    const pooled = writer.node('GlobalAveragePool', [this.read(input).name], [`${name}.pool`]);
    const features = this.quantize('features', pooled, SCALES.activation, 0);
    const flat = writer.node('Flatten', [features], [`${name}.flat`]);
    const x = this.quantize('flat', flat, SCALES.activation, 0);
    const operands = [x, ...this.weights(name, [channels, inputChannels], SCALES.activation)];
    const logits = writer.node('Gemm', operands, [name], { transB: { int: 1 } });
    writer.node('Identity', [this.quantize(name, logits, SCALES.linear, LINEAR_ZERO)], ['logits']);
  }
}
