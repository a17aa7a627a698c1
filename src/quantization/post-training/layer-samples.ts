import { intAttribute } from '../../onnx/attributes.js';
import type { Node } from '../../onnx/graph.js';
import { windowOf } from '../../training/gradients/conv.js';
import type { Random } from '../../training/random.js';

/** Output positions of a convolution that are looked at, `perImage` of each image. */
export interface Positions {
  readonly perImage: number;
  /** Row-major indices into the output plane, [count * perImage]. */
  readonly indices: Uint32Array;
}

export function drawPositions(
  count: number,
  perImage: number,
  area: number,
  random: Random,
): Positions {
  const indices = Uint32Array.from({ length: count * perImage }, () => random.integer(area));
  return { perImage, indices };
}

/** The shapes of a convolution for one image. */
export interface ConvShapes {
  /** [C,H,W] */
  readonly input: readonly number[];
  /** [M,C/group,KH,KW] */
  readonly weight: readonly number[];
  /** [M,OH,OW] */
  readonly output: readonly number[];
}

/**
 * Samples Z = [x, 1, y] of a convolution as a linear layer, one matrix [n, K + 1 + M/group] a group, all in one array:
 * x is the window [C/group,KH,KW] that it reads at a position, y what is wanted of its output channels there.
 */
export class LayerSamples {
  readonly data: Float32Array;
  readonly groups: number;
  /** K */
  readonly inputs: number;
  /** M / group */
  readonly outputs: number;
  readonly count: number;
  private readonly conv: Node;
  private readonly shapes: ConvShapes;
  private readonly positions: Positions;

  constructor(conv: Node, shapes: ConvShapes, positions: Positions) {
    this.conv = conv;
    this.shapes = shapes;
    this.positions = positions;
    this.groups = intAttribute(conv, 'group', 1);
    const [m, ...kernel] = shapes.weight;
    this.inputs = kernel.reduce((a, b) => a * b, 1);
    this.outputs = m / this.groups;
    this.count = positions.indices.length;
    this.data = new Float32Array(this.groups * this.count * this.columns);
  }

  get columns(): number {
    return this.inputs + 1 + this.outputs;
  }

  /** Takes the wanted outputs [batch,M,OH,OW] of the images from `first` on. */
  addOutputs(elements: Float32Array, first: number): void {
    const [m, oh, ow] = this.shapes.output;
    this.visit(elements.length / (m * oh * ow), first, (image, sample, position) => {
      for (let o = 0; o < m; o++) {
        const group = Math.floor(o / this.outputs);
        const to = this.row(group, sample) + this.inputs;
        this.data[to] = 1;
        this.data[to + 1 + (o % this.outputs)] = elements[(image * m + o) * oh * ow + position];
      }
    });
  }

  /** Takes away what is added to the outputs [batch,M,OH,OW] of the images from `first` on. */
  subtractFromOutputs(elements: Float32Array, first: number): void {
    const [m, oh, ow] = this.shapes.output;
    this.visit(elements.length / (m * oh * ow), first, (image, sample, position) => {
      for (let o = 0; o < m; o++) {
        const row = this.row(Math.floor(o / this.outputs), sample) + this.inputs + 1;
        const at = (image * m + o) * oh * ow + position;
        this.data[row + (o % this.outputs)] -= elements[at];
      }
    });
  }

  /** Takes the inputs [batch,C,H,W] of the images from `first` on. */
  addInputs(elements: Float32Array, first: number): void {
    const [c, h, w] = this.shapes.input;
    const [, perGroup, kh, kw] = this.shapes.weight;
    const { strides, pads, dilations } = windowOf(this.conv);
    const width = this.shapes.output[2];
    this.visit(elements.length / (c * h * w), first, (image, sample, position) => {
      const top = Math.floor(position / width) * strides[0] - pads[0];
      const left = (position % width) * strides[1] - pads[1];
      for (let channel = 0; channel < c; channel++) {
        let to = this.row(Math.floor(channel / perGroup), sample) + (channel % perGroup) * kh * kw;
        const plane = (image * c + channel) * h * w;
        for (let i = 0; i < kh; i++) {
          const y = top + i * dilations[0];
          for (let j = 0; j < kw; j++, to++) {
            const x = left + j * dilations[1];
            const inside = y >= 0 && y < h && x >= 0 && x < w;
            this.data[to] = inside ? elements[plane + y * w + x] : 0;
          }
        }
      }
    });
  }

  private row(group: number, sample: number): number {
    return (group * this.count + sample) * this.columns;
  }

  private visit(
    batch: number,
    first: number,
    look: (image: number, sample: number, position: number) => void,
  ): void {
    const { perImage, indices } = this.positions;
    for (let image = 0; image < batch; image++) {
      for (let i = 0; i < perImage; i++) {
        const sample = (first + image) * perImage + i;
        look(image, sample, indices[sample]);
      }
    }
  }
}
