import type { Attribute, Graph, TensorData } from '../../onnx/graph.js';
import { Random } from '../random.js';

/** Pixels enter as (pixel - 128) / 64: near zero mean and unit variance, and exact in 8 bits when deployed. */
export const PIXEL_ZERO = 128;
export const PIXEL_SCALE = 1 / 64;

/**
 * The CIFAR ResNet of He et al. 2015, section 4.2, with parameter-free shortcuts (option A): 6n + 2 layers, n blocks at
 * each of 16, 32 and 64 channels.
 *
 * Input `image` uint8 [N, imageSize, imageSize, 3]; output `logits` float32 [N, classes]. Weights are drawn from He's normal
 * distribution by `seed`. Initializers named *.weight and *.bias are parameters, *.mean and *.variance statistics.
 */
export function cifarResNet(
  depth: number,
  classes: number,
  imageSize: number,
  seed: number,
): Graph {
  if (!Number.isInteger((depth - 2) / 6) || depth < 8) {
    throw new RangeError(`a CIFAR ResNet has 6n + 2 layers, not ${depth}`);
  }
  const net = new NetworkWriter(new Random(seed));
  let x = net.normalizedImage('image', imageSize);
  let size = imageSize;
  x = net.relu('stem', net.convolution('stem', x, 3, 16, 1));
  let channels = 16;
  let block = 0;
  for (const width of [16, 32, 64]) {
    for (let i = 0; i < (depth - 2) / 6; i++, block++) {
      const name = `block${block}`;
      const stride = width === channels ? 1 : 2;
      let y = net.relu(
        `${name}.conv1`,
        net.convolution(`${name}.conv1`, x, channels, width, stride),
      );
      y = net.convolution(`${name}.conv2`, y, width, width, 1);
      const shortcut = stride === 1 ? x : net.shortcut(name, x, size, (width - channels) / 2);
      x = net.relu(name, net.add(name, y, shortcut));
      channels = width;
      if (stride === 2) size = Math.ceil(size / 2);
    }
  }
  net.classifier('classifier', x, channels, classes);
  const { graph } = net;
  graph.name = `resnet${depth}`;
  return graph;
}

/** Writes the forward graph layer by layer; each method returns the name of its output. */
class NetworkWriter {
  readonly graph: Graph = { name: '', inputs: [], outputs: [], initializers: new Map(), nodes: [] };
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  private node(
    opType: string,
    inputs: string[],
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

  private floats(name: string, shape: number[], fill: () => number): string {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = new Uint8Array(Float32Array.from({ length: count }, fill).buffer);
    return this.initializer(name, { dtype: 'float32', shape, data });
  }

  private int64s(name: string, values: number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.initializer(name, { dtype: 'int64', shape: [values.length], data });
  }

  normalizedImage(name: string, size: number): string {
    this.graph.inputs.push({ name, type: { dtype: 'uint8', shape: ['N', size, size, 3] } });
    const zero = this.floats('pixel.zero', [], () => PIXEL_ZERO);
    const scale = this.floats('pixel.scale', [], () => PIXEL_SCALE);
    const reals = this.node('Cast', [name], 'pixel.cast', { to: { int: 1 } });
    const centred = this.node('Sub', [reals, zero], 'pixel.centred');
    const scaled = this.node('Mul', [centred, scale], 'pixel.scaled');
    return this.node('Transpose', [scaled], 'pixel.nchw', { perm: { ints: [0, 3, 1, 2] } });
  }

  /** 3x3 convolution with padding 1, then batch normalization. */
  convolution(name: string, x: string, channels: number, width: number, stride: number): string {
    const deviation = Math.sqrt(2 / (channels * 9));
    const weight = this.floats(
      `${name}.weight`,
      [width, channels, 3, 3],
      () => this.random.normal() * deviation,
    );
    const y = this.node('Conv', [x, weight], `${name}.conv`, {
      kernel_shape: { ints: [3, 3] },
      strides: { ints: [stride, stride] },
      pads: { ints: [1, 1, 1, 1] },
      dilations: { ints: [1, 1] },
      group: { int: 1 },
    });
    const statistics = [
      this.floats(`${name}.norm.weight`, [width], () => 1),
      this.floats(`${name}.norm.bias`, [width], () => 0),
      this.floats(`${name}.norm.mean`, [width], () => 0),
      this.floats(`${name}.norm.variance`, [width], () => 1),
    ];
    return this.node('BatchNormalization', [y, ...statistics], `${name}.norm`, {
      epsilon: { float: 1e-5 },
    });
  }

  relu(name: string, x: string): string {
    return this.node('Relu', [x], `${name}.relu`);
  }

  add(name: string, x: string, y: string): string {
    return this.node('Add', [x, y], `${name}.add`);
  }

  /** Every second row and column, with zero channels on both sides. */
  shortcut(name: string, x: string, size: number, extra: number): string {
    const lists = [
      this.int64s(`${name}.shortcut.starts`, [0, 0]),
      this.int64s(`${name}.shortcut.ends`, [size, size]),
      this.int64s(`${name}.shortcut.axes`, [2, 3]),
      this.int64s(`${name}.shortcut.steps`, [2, 2]),
    ];
    const pads = this.int64s(`${name}.shortcut.pads`, [0, extra, 0, 0, 0, extra, 0, 0]);
    return this.node(
      'Pad',
      [this.node('Slice', [x, ...lists], `${name}.shortcut.slice`), pads],
      `${name}.shortcut.pad`,
    );
  }

  classifier(name: string, x: string, channels: number, classes: number): void {
    const pooled = this.node('GlobalAveragePool', [x], 'pool');
    const flat = this.node('Flatten', [pooled], 'features', { axis: { int: 1 } });
    const deviation = Math.sqrt(1 / channels);
    const weight = this.floats(
      `${name}.weight`,
      [classes, channels],
      () => this.random.normal() * deviation,
    );
    const bias = this.floats(`${name}.bias`, [classes], () => 0);
    this.node('Gemm', [flat, weight, bias], 'logits', { transB: { int: 1 } });
    this.graph.outputs.push({ name: 'logits', type: { dtype: 'float32', shape: ['N', classes] } });
  }
}
