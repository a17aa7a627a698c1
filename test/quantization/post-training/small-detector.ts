import { tensorOf } from '../../../src/onnx/elements.js';
import type { Attribute, Graph, Model, Node } from '../../../src/onnx/graph.js';
import { Random } from '../../../src/training/random.js';

/** Rows and columns of the input. */
export const SIZE = 16;
export const CLASSES = 3;
const BINS = 2;
const CELLS = [(SIZE / 4) ** 2, (SIZE / 8) ** 2];

/**
 * Networks of what detectors are made of, as exporters write them for a batch of one.
 *
 * `yolox`: a focus of slices, a cross-stage partial block with SiLU, pooled pyramid, an upsampled neck, one output.
 * `nanodet`: channels split, concatenated and shuffled, bilinear Resize in the neck, a pair of outputs for each stride.
 */
export function smallDetector(head: 'yolox' | 'nanodet'): Model {
  const net = new DetectorWriter(new Random(5));
  if (head === 'yolox') net.yolox();
  else net.nanodet();
  const { graph } = net;
  const opsets = { '': 11 };
  return { irVersion: 6, producer: 'test', opsets, graph, functions: [], metadata: {} };
}

class DetectorWriter {
  readonly graph: Graph = {
    name: 'detector',
    inputs: [{ name: 'image', type: { dtype: 'float32', shape: [1, 3, SIZE, SIZE] } }],
    outputs: [],
    initializers: new Map(),
    nodes: [],
  };
  private readonly random: Random;
  private count = 0;

  constructor(random: Random) {
    this.random = random;
  }

  yolox(): void {
    const corners = [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ].map(([y, x]) => this.stride(this.stride('image', 2, y), 3, x));
    const stem = this.silu(this.conv(this.concat(corners), 12, 8, 3));
    const down = this.silu(this.conv(this.silu(this.depthwise(stem, 8, 2)), 8, 12, 1));
    const left = this.silu(this.conv(down, 12, 6, 1));
    const inner = this.silu(this.conv(this.silu(this.conv(left, 6, 6, 1)), 6, 6, 3));
    const right = this.silu(this.conv(down, 12, 6, 1));
    const block = this.concat([this.node('Add', [inner, left]), right]);
    const fine = this.silu(this.conv(block, 12, 12, 1));
    const squeezed = this.silu(this.conv(this.silu(this.depthwise(fine, 12, 2)), 12, 6, 1));
    const pooled = this.node('MaxPool', [squeezed], {
      kernel_shape: { ints: [3, 3] },
      strides: { ints: [1, 1] },
      pads: { ints: [1, 1, 1, 1] },
    });
    const coarse = this.silu(this.conv(this.concat([squeezed, pooled]), 12, 12, 1));
    const scales = this.floats([4], [1, 1, 2, 2]);
    const up = this.node('Resize', [coarse, this.floats([0], []), scales], {
      mode: { string: 'nearest' },
      coordinate_transformation_mode: { string: 'asymmetric' },
      nearest_mode: { string: 'floor' },
    });
    const merged = this.silu(this.conv(this.concat([up, fine]), 24, 12, 1));
    const columns = 5 + CLASSES;
    const levels = [merged, coarse].map((x) => {
      const probabilities = this.node('Sigmoid', [this.conv(x, 12, 1 + CLASSES, 1)]);
      const raw = this.concat([this.conv(x, 12, 4, 1), probabilities]);
      return this.node('Reshape', [raw, this.int64s(1, columns, -1)]);
    });
    this.output(this.concat(levels, 2), 'boxes', CELLS[0] + CELLS[1], columns);
  }

  nanodet(): void {
    const stem = this.leaky(this.conv('image', 3, 8, 3, 2));
    const wide = this.leaky(this.conv(this.depthwise(stem, 8, 2), 8, 12, 1));
    const half = SIZE / 4;
    const grouped = this.node('Reshape', [wide, this.int64s(1, 2, 6, half, half)]);
    const turned = this.node('Transpose', [grouped], { perm: { ints: [0, 2, 1, 3, 4] } });
    const shuffled = this.node('Reshape', [turned, this.int64s(1, -1, half, half)]);
    const parts = this.split(shuffled, [6, 6]);
    const branch = this.leaky(this.conv(this.depthwise(parts[1], 6, 1), 6, 6, 1));
    const fine = this.concat([parts[0], branch]);
    const coarse = this.leaky(this.conv(this.depthwise(fine, 12, 2), 12, 12, 1));
    const merged = this.node('Add', [fine, this.bilinear(coarse, half)]);
    const lower = this.node('Add', [coarse, this.bilinear(merged, half / 2)]);
    for (const [i, x] of [merged, lower].entries()) {
      const feature = this.leaky(this.conv(this.depthwise(x, 12, 1), 12, 12, 1));
      const raw = this.conv(feature, 12, CLASSES + 4 * BINS, 1);
      const [scores, distances] = this.split(raw, [CLASSES, 4 * BINS]);
      const flat = (value: string, columns: number, name: string) =>
        this.output(
          this.node('Reshape', [value, this.int64s(1, columns, -1)]),
          name,
          CELLS[i],
          columns,
        );
      flat(this.node('Sigmoid', [scores]), CLASSES, `scores${i}`);
      flat(distances, 4 * BINS, `distances${i}`);
    }
  }

  /** Makes [N, columns, cells] an output [N, cells, columns]. */
  private output(x: string, name: string, cells: number, columns: number): void {
    this.node('Transpose', [x], { perm: { ints: [0, 2, 1] } }, [name]);
    this.graph.outputs.push({ name, type: { dtype: 'float32', shape: [1, cells, columns] } });
  }

  private node(
    opType: string,
    inputs: string[],
    attributes: Record<string, Attribute> = {},
    outputs = [`v${this.count++}`],
  ): string {
    const node: Node = { name: outputs[0], opType, domain: '', inputs, outputs, attributes };
    this.graph.nodes.push(node);
    return outputs[0];
  }

  private floats(shape: number[], values: ArrayLike<number>): string {
    const name = `c${this.count++}`;
    this.graph.initializers.set(name, tensorOf('float32', shape, Float32Array.from(values)));
    return name;
  }

  private int64s(...values: number[]): string {
    const name = `c${this.count++}`;
    const data = BigInt64Array.from(values, BigInt);
    this.graph.initializers.set(name, tensorOf('int64', [values.length], data));
    return name;
  }

  private conv(x: string, channels: number, m: number, k: number, stride = 1, group = 1): string {
    const shape = [m, channels / group, k, k];
    const size = shape[1] * k * k;
    const draw = (length: number, deviation: number) =>
      Float32Array.from({ length }, () => deviation * this.random.normal());
    const inputs = [
      x,
      this.floats(shape, draw(m * size, Math.sqrt(2 / size))),
      this.floats([m], draw(m, 0.2)),
    ];
    const pad = (k - 1) / 2;
    return this.node('Conv', inputs, {
      strides: { ints: [stride, stride] },
      pads: { ints: [pad, pad, pad, pad] },
      group: { int: group },
    });
  }

  private depthwise(x: string, channels: number, stride: number): string {
    return this.conv(x, channels, channels, 3, stride, channels);
  }

  private silu(x: string): string {
    return this.node('Mul', [x, this.node('Sigmoid', [x])]);
  }

  private leaky(x: string): string {
    return this.node('LeakyRelu', [x], { alpha: { float: 0.1 } });
  }

  private concat(values: string[], axis = 1): string {
    return this.node('Concat', values, { axis: { int: axis } });
  }

  /** Every second row or column from `start` to the end, which exporters write as the largest int64. */
  private stride(x: string, axis: number, start: number): string {
    const end = `c${this.count++}`;
    this.graph.initializers.set(
      end,
      tensorOf('int64', [1], BigInt64Array.of(9223372036854775807n)),
    );
    return this.node('Slice', [x, this.int64s(start), end, this.int64s(axis), this.int64s(2)]);
  }

  private split(x: string, sizes: number[]): string[] {
    const outputs = sizes.map(() => `v${this.count++}`);
    this.node('Split', [x], { axis: { int: 1 }, split: { ints: sizes } }, outputs);
    return outputs;
  }

  private bilinear(x: string, size: number): string {
    const none = this.floats([0], []);
    return this.node('Resize', [x, none, none, this.int64s(1, 12, size, size)], {
      mode: { string: 'linear' },
      coordinate_transformation_mode: { string: 'pytorch_half_pixel' },
    });
  }
}
