import { tensorOf } from '../../../src/onnx/elements.js';
import type { Attribute, Graph, Node } from '../../../src/onnx/graph.js';
import type { Activations } from '../../../src/quantization/post-training/network-runner.js';
import type { PostTrainingSettings } from '../../../src/quantization/post-training/quantize-network.js';
import { Random } from '../../../src/training/random.js';

export const SIZE = 12;
export const CLASSES = 5;

/**
 * A canonical network of what classifiers are made of: strided and depthwise convolutions with ReLU6, linear
 * bottlenecks that are added, and a strided shortcut by a convolution of its own.
 */
export function smallNetwork(seed: number): Graph {
  const net = new NetworkWriter(new Random(seed));
  let x = net.relu6(net.conv('stem', 'image', [8, 3, 3, 3], { stride: 2 }));
  x = net.relu6(net.conv('depthwise', x, [8, 1, 3, 3], { group: 8 }));
  const bottleneck = net.conv('project', x, [6, 8, 1, 1]);
  x = net.relu6(net.conv('expand', bottleneck, [12, 6, 1, 1]));
  x = net.relu6(net.conv('grouped', x, [12, 6, 3, 3], { group: 2 }));
  x = net.add('sum', net.conv('back', x, [6, 12, 1, 1]), bottleneck);
  const shortcut = net.conv('shortcut', x, [10, 6, 1, 1], { stride: 2 });
  x = net.conv(
    'wide',
    net.node('Relu', 'wide.relu', [net.conv('halve', x, [10, 6, 3, 3], { stride: 2 })]),
    [10, 10, 3, 3],
  );
  x = net.node('Relu', 'joined.relu', [net.add('joined', x, shortcut)]);
  x = net.relu6(net.conv('head', x, [16, 10, 1, 1]));
  net.classifier(x, 16);
  return net.graph;
}

/** The same network on bytes [N,SIZE,SIZE,3] that it normalizes itself, as the trainer's networks do. */
export function smallNetworkOfBytes(seed: number): Graph {
  const net = new NetworkWriter(new Random(seed));
  net.scalar('middle', 128);
  net.scalar('unit', 1 / 64);
  net.node('Cast', 'reals', ['pixels'], { to: { int: 1 } });
  net.node('Sub', 'centred', ['reals', 'middle']);
  net.node('Mul', 'scaled', ['centred', 'unit']);
  net.node('Transpose', 'image', ['scaled'], { perm: { ints: [0, 3, 1, 2] } });
  const { nodes, initializers, outputs } = smallNetwork(seed);
  const type = { dtype: 'uint8', shape: ['N', SIZE, SIZE, 3] } as const;
  return {
    name: 'small',
    inputs: [{ name: 'pixels', type }],
    outputs,
    initializers: new Map([...net.graph.initializers, ...initializers]),
    nodes: [...net.graph.nodes, ...nodes],
  };
}

class NetworkWriter {
  readonly graph: Graph = {
    name: 'small',
    inputs: [{ name: 'image', type: { dtype: 'float32', shape: ['N', 3, SIZE, SIZE] } }],
    outputs: [{ name: 'logits', type: { dtype: 'float32', shape: ['N', CLASSES] } }],
    initializers: new Map(),
    nodes: [],
  };
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
    this.scalar('zero', 0);
    this.scalar('six', 6);
  }

  scalar(name: string, value: number): string {
    return this.floats(name, [], () => value);
  }

  node(
    opType: string,
    output: string,
    inputs: string[],
    attributes: Record<string, Attribute> = {},
  ): string {
    const node: Node = { name: output, opType, domain: '', inputs, outputs: [output], attributes };
    this.graph.nodes.push(node);
    return output;
  }

  private floats(name: string, shape: number[], draw: () => number): string {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, draw);
    this.graph.initializers.set(name, tensorOf('float32', shape, data));
    return name;
  }

  conv(name: string, x: string, shape: number[], { stride = 1, group = 1 } = {}): string {
    const [m, c, k] = shape;
    const deviation = Math.sqrt(2 / (c * k * k));
    const weight = this.floats(`${name}.weight`, shape, () => deviation * this.random.normal());
    const bias = this.floats(`${name}.bias`, [m], () => 0.2 * this.random.normal());
    // As some exporters pad a stride of 2: at the end only.
    const pads = k === 1 ? [0, 0, 0, 0] : stride === 2 ? [0, 0, 1, 1] : [1, 1, 1, 1];
    return this.node('Conv', name, [x, weight, bias], {
      strides: { ints: [stride, stride] },
      pads: { ints: pads },
      group: { int: group },
    });
  }

  relu6(x: string): string {
    return this.node('Clip', `${x}.relu6`, [x, 'zero', 'six']);
  }

  add(name: string, x: string, y: string): string {
    return this.node('Add', name, [x, y]);
  }

  classifier(x: string, channels: number): void {
    const pooled = this.node('GlobalAveragePool', 'pooled', [x]);
    const flat = this.node('Flatten', 'features', [pooled], { axis: { int: 1 } });
    const weight = this.floats('classifier.weight', [CLASSES, channels], () =>
      this.random.normal(),
    );
    const bias = this.floats('classifier.bias', [CLASSES], () => this.random.normal());
    this.node('Gemm', 'logits', [flat, weight, bias], { transB: { int: 1 } });
  }
}

/** Smooth random images, as natural ones are. */
export function smallImages(count: number, seed: number): Activations {
  const random = new Random(seed);
  const shape = [3, SIZE, SIZE];
  const data = new Float32Array(count * 3 * SIZE * SIZE);
  for (let plane = 0; plane < count * 3; plane++) {
    const [u, v, phase] = [random.normal(), random.normal(), 6 * random.uniform()];
    for (let i = 0; i < SIZE * SIZE; i++) {
      const [y, x] = [Math.floor(i / SIZE), i % SIZE];
      data[plane * SIZE * SIZE + i] = Math.sin(u * x + v * y + phase) + 0.2 * random.normal();
    }
  }
  return { shape, count, data };
}

export function smallSettings(
  weightBits: 2 | 3 | 4 | 8,
  activationBits: 2 | 3 | 4 | 8,
): PostTrainingSettings {
  return {
    weightBits,
    activationBits,
    intervals: 8,
    companding: true,
    perChannel: true,
    reconstruction: {
      steps: 100,
      batch: 8,
      seed: 1,
      threads: 1,
      drop: 0.5,
      rates: { weight: 5e-3, bias: 5e-3, clip: 2e-3, activation: 2e-3, compander: 5e-3 },
    },
  };
}
