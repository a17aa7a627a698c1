import type { Attribute, Graph, TensorData } from '../../onnx/graph.js';
import type { Random } from '../random.js';

/** Pixels enter as (pixel - 128) / 64: near zero mean and unit variance, and exact in 8 bits when deployed. */
export const PIXEL_ZERO = 128;
export const PIXEL_SCALE = 1 / 64;

/** A value [N, channels, height, width] of the network. */
export interface FeatureMap {
  readonly name: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface ConvolutionShape {
  /** Output channels. */
  readonly channels: number;
  readonly stride?: 1 | 2;
  readonly dilation?: number;
}

/**
 * Writes a forward graph layer by layer; each method returns its output. Weights are drawn from He's normal
 * distribution. Initializers named *.weight and *.bias are parameters, *.mean and *.variance statistics.
 */
export class NetworkWriter {
  readonly graph: Graph;
  private readonly random: Random;

  constructor(name: string, random: Random) {
    this.graph = { name, inputs: [], outputs: [], initializers: new Map(), nodes: [] };
    this.random = random;
  }

  node(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Record<string, Attribute> = {},
  ): string {
    this.graph.nodes.push({
      name: output,
      opType,
      domain: '',
      inputs,
      outputs: [output],
      attributes,
    });
    return output;
  }

  private initializer(name: string, tensor: TensorData): string {
    this.graph.initializers.set(name, tensor);
    return name;
  }

  floats(name: string, shape: readonly number[], fill: (i: number) => number): string {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = new Uint8Array(Float32Array.from({ length }, (_, i) => fill(i)).buffer);
    return this.initializer(name, { dtype: 'float32', shape, data });
  }

  int64s(name: string, values: readonly number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.initializer(name, { dtype: 'int64', shape: [values.length], data });
  }

  weights(name: string, shape: readonly number[], deviation: number): string {
    return this.floats(`${name}.weight`, shape, () => this.random.normal() * deviation);
  }

  /** The input: uint8 [N, height, width, 3]. */
  image(name: string, height: number, width: number): FeatureMap {
    this.graph.inputs.push({ name, type: { dtype: 'uint8', shape: ['N', height, width, 3] } });
    const zero = this.floats('pixel.zero', [], () => PIXEL_ZERO);
    const scale = this.floats('pixel.scale', [], () => PIXEL_SCALE);
    const reals = this.node('Cast', [name], 'pixel.cast', { to: { int: 1 } });
    const centred = this.node('Sub', [reals, zero], 'pixel.centred');
    const scaled = this.node('Mul', [centred, scale], 'pixel.scaled');
    const perm = { ints: [0, 3, 1, 2] };
    const planes = this.node('Transpose', [scaled], 'pixel.nchw', { perm });
    return { name: planes, channels: 3, height, width };
  }

  /** 3x3 convolution that keeps the size, or halves it, then batch normalization. */
  convolution(
    name: string,
    x: FeatureMap,
    { channels, stride = 1, dilation = 1 }: ConvolutionShape,
  ): FeatureMap {
    const shape = [channels, x.channels, 3, 3];
    const weight = this.weights(name, shape, Math.sqrt(2 / (x.channels * 9)));
    const y = this.node('Conv', [x.name, weight], `${name}.conv`, {
      kernel_shape: { ints: [3, 3] },
      strides: { ints: [stride, stride] },
      pads: { ints: [dilation, dilation, dilation, dilation] },
      dilations: { ints: [dilation, dilation] },
      group: { int: 1 },
    });
    const statistics = [
      this.floats(`${name}.norm.weight`, [channels], () => 1),
      this.floats(`${name}.norm.bias`, [channels], () => 0),
      this.floats(`${name}.norm.mean`, [channels], () => 0),
      this.floats(`${name}.norm.variance`, [channels], () => 1),
    ];
    const norm = this.node('BatchNormalization', [y, ...statistics], `${name}.norm`, {
      epsilon: { float: 1e-5 },
    });
    const [height, width] = [x.height, x.width].map((size) => Math.ceil(size / stride));
    return { name: norm, channels, height, width };
  }

  relu(name: string, x: FeatureMap): FeatureMap {
    return { ...x, name: this.node('Relu', [x.name], `${name}.relu`) };
  }

  /** Convolution, Relu. */
  layer(name: string, x: FeatureMap, shape: ConvolutionShape): FeatureMap {
    return this.relu(name, this.convolution(name, x, shape));
  }

  /** The basic block of He et al. 2015: two convolutions, the first with the stride, and a parameter-free shortcut. */
  residualBlock(name: string, x: FeatureMap, shape: ConvolutionShape): FeatureMap {
    const { channels, stride = 1, dilation = 1 } = shape;
    const inner = this.layer(`${name}.conv1`, x, shape);
    const y = this.convolution(`${name}.conv2`, inner, { channels, dilation });
    const shortcut = stride === 1 ? x.name : this.shortcut(name, x, (channels - x.channels) / 2);
    return this.relu(name, { ...y, name: this.node('Add', [y.name, shortcut], `${name}.add`) });
  }

  /** Every second row and column, with `extra` zero channels on both sides. */
  private shortcut(name: string, x: FeatureMap, extra: number): string {
    const lists = [
      this.int64s(`${name}.shortcut.starts`, [0, 0]),
      this.int64s(`${name}.shortcut.ends`, [x.height, x.width]),
      this.int64s(`${name}.shortcut.axes`, [2, 3]),
      this.int64s(`${name}.shortcut.steps`, [2, 2]),
    ];
    const pads = this.int64s(`${name}.shortcut.pads`, [0, extra, 0, 0, 0, extra, 0, 0]);
    const slice = this.node('Slice', [x.name, ...lists], `${name}.shortcut.slice`);
    return this.node('Pad', [slice, pads], `${name}.shortcut.pad`);
  }

  /** Declares a value as the output of the network. */
  output(name: string, shape: readonly (number | string)[]): void {
    this.graph.outputs.push({ name, type: { dtype: 'float32', shape } });
  }
}
