import { packCodes, type WeightBits, weightCodeCount } from '../../src/lcq/bit-packing.js';
import { LCQ_DOMAIN } from '../../src/onnx/domains.js';
import { elementCount, tensorOf } from '../../src/onnx/elements.js';
import type { Attribute, Model, Node, TensorData } from '../../src/onnx/graph.js';
import {
  LCQ_OPSET_VERSION,
  lcqFunctions,
  STANDARD_OPSET_VERSION,
} from '../../src/quantization/op-functions.js';
import type { RandomInteger } from '../lcq/random-layers.js';

/**
 * A network of all operators as the exporter would chain them: an 8-bit stem on raw pixels, max pools of its stream and
 * codes, a residual block of 2-bit convolutions that halves the image, pooling and an 8-bit classifier. Constants are random.
 */
export function tinyNetwork(next: RandomInteger): Model {
  const network = new TinyNetwork(next);
  network.conv('LcqConvStream', 'image', [4, 3, 3, 3], 8, {
    outputs: ['s0', 'c0'],
    zeroPoint: 128,
  });
  const pool = {
    kernel_shape: { ints: [3, 3] },
    strides: { ints: [1, 1] },
    pads: { ints: [1, 1, 1, 1] },
  };
  network.node('LcqMaxPoolStream', ['s0'], ['p0'], pool);
  network.node('LcqMaxPool', ['c0'], ['q0'], pool);
  network.conv('LcqConv', 'q0', [8, 3, 3, 4], 2, { outputs: ['c1'], stride: 2 });
  network.conv('LcqConvAdd', 'c1', [8, 3, 3, 8], 3, { outputs: ['s2', 'c2'], residual: 'p0' });
  network.conv('LcqConv', 'c2', [8, 1, 1, 8], 4, { outputs: ['c3'] });
  network.conv('LcqConvAdd', 'c3', [8, 3, 3, 8], 2, { outputs: ['s4', 'c4'], residual: 's2' });
  network.node('LcqGlobalAveragePool', ['s4'], ['features'], { scale: { float: 0.002 } });
  network.gemm('features', [5, 8], 'logits');
  return network.model();
}

interface ConvOptions {
  readonly outputs: string[];
  readonly stride?: number;
  readonly zeroPoint?: number;
  readonly residual?: string;
}

class TinyNetwork {
  private readonly next: RandomInteger;
  private readonly nodes: Node[] = [];
  private readonly initializers = new Map<string, TensorData>();

  constructor(next: RandomInteger) {
    this.next = next;
  }

  conv(opType: string, x: string, shape: number[], bits: WeightBits, options: ConvOptions): void {
    const { outputs, stride = 1, zeroPoint = 0, residual } = options;
    const [channels, kernel] = shape;
    const name = outputs[0];
    const border = (kernel - 1) / 2;
    const attributes: Record<string, Attribute> = {
      weight_shape: { ints: shape },
      weight_bits: { int: bits },
      strides: { ints: [stride, stride] },
      pads: { ints: [border, border, border, border] },
      dilations: { ints: [1, 1] },
      group: { int: 1 },
      input_zero_point: { int: zeroPoint },
    };
    const operands = this.weights(name, shape, bits, zeroPoint > 0);
    if (opType === 'LcqConv') {
      const thresholds = this.thresholds(`${name}.thresholds`, channels);
      this.node(opType, [x, ...operands, thresholds], outputs, attributes);
      return;
    }
    const affine = this.affine(name, channels, zeroPoint > 0 ? 0.001 : 0.3);
    const thresholds = this.constant(`${name}.thresholds`, 'int32', Int32Array.of(5, 40, 90));
    const more: Record<string, Attribute> = { output_min: { int: 0 } };
    // The block's first residual is larger by 2 and has half the channels.
    if (residual === 'p0')
      Object.assign(more, { residual_stride: { int: 2 }, residual_offset: { int: 2 } });
    else if (residual)
      Object.assign(more, { residual_stride: { int: 1 }, residual_offset: { int: 0 } });
    const inputs = [x, ...operands, ...affine, ...(residual ? [residual] : []), thresholds];
    this.node(opType, inputs, outputs, { ...attributes, ...more });
  }

  gemm(x: string, shape: number[], output: string): void {
    const operands = this.weights(output, shape, 8, true);
    const attributes = { weight_shape: { ints: shape }, weight_bits: { int: 8 } };
    this.node(
      'LcqGemm',
      [x, ...operands, ...this.affine(output, shape[0], 0.001)],
      [output],
      attributes,
    );
  }

  node(
    opType: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, Attribute>,
  ): void {
    const name = `${opType}_${outputs[0]}`;
    this.nodes.push({ name, opType, domain: LCQ_DOMAIN, inputs, outputs, attributes });
  }

  model(): Model {
    return {
      irVersion: 10,
      producer: 'test',
      opsets: { '': STANDARD_OPSET_VERSION, [LCQ_DOMAIN]: LCQ_OPSET_VERSION },
      graph: {
        name: 'tiny',
        inputs: [{ name: 'image', type: { dtype: 'uint8', shape: ['N', 8, 6, 3] } }],
        outputs: [{ name: 'logits', type: { dtype: 'float32', shape: ['N', 5] } }],
        initializers: this.initializers,
        nodes: this.nodes,
      },
      functions: [...lcqFunctions],
      metadata: {},
    };
  }

  private weights(name: string, shape: number[], bits: WeightBits, bytes: boolean): string[] {
    const count = weightCodeCount(bits);
    const step = Math.floor(127 / ((count - 1) / 2));
    const codes = Array.from({ length: elementCount(shape) }, () => this.next(0, count - 1));
    const levels = Int8Array.from({ length: count }, (_, code) => (code - (count - 1) / 2) * step);
    const inputs = bytes
      ? Uint8Array.from({ length: 256 }, (_, i) => i)
      : Uint8Array.of(0, 12, 30, 42);
    return [
      this.constant(`${name}.w`, 'uint8', packCodes(codes, bits)),
      this.constant(`${name}.weight_levels`, 'int8', bits === 2 ? Int8Array.of(-1, 0, 1) : levels),
      this.constant(`${name}.input_levels`, 'uint8', inputs),
    ];
  }

  private affine(name: string, channels: number, scale: number): string[] {
    const values = (of: () => number) => Float32Array.from({ length: channels }, of);
    return [
      this.constant(
        `${name}.scale`,
        'float32',
        values(() => (scale * this.next(50, 150)) / 100),
      ),
      this.constant(
        `${name}.bias`,
        'float32',
        values(() => this.next(-300, 300) / 10),
      ),
    ];
  }

  private thresholds(name: string, channels: number): string {
    const rows = Array.from({ length: channels }, () =>
      Array.from({ length: 3 }, () => this.next(-60, 200)).sort((a, b) => a - b),
    );
    this.initializers.set(name, tensorOf('int32', [channels, 3], Int32Array.from(rows.flat())));
    return name;
  }

  private constant<T extends Parameters<typeof tensorOf>[0]>(
    name: string,
    dtype: T,
    elements: Parameters<typeof tensorOf<T>>[2],
  ): string {
    this.initializers.set(name, tensorOf(dtype, [elements.length], elements));
    return name;
  }
}
