import { LcqError } from '../errors.js';
import { intAttribute } from '../onnx/attributes.js';
import { elementsOf, tensorOf } from '../onnx/elements.js';
import type { Graph, Node, TensorData } from '../onnx/graph.js';
import { NetworkWriter, PIXEL_SCALE, PIXEL_ZERO } from './networks/network-writer.js';
import { Random } from './random.js';

/** What is done to a pixel 0..255 of each of three channels: (pixel * scale - mean) / std. */
export interface PixelNormalization {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * A network of normalized planes, float32 [N,3,H,W], as one of bytes, uint8 [N,H,W,3], that prepares its images as the
 * trainer's own networks do. The normalization moves into the first convolution and what follows it: nothing changes but
 * at the border, where the padding is grey instead of the mean colour.
 * @throws LcqError UNSUPPORTED if what reads the image is not one convolution with weights of its own
 */
export function byteImage(graph: Graph, normalization: PixelNormalization): Graph {
  const [{ name, type }] = graph.inputs;
  const [, , height, width] = type.shape as number[];
  const [conv, ...others] = graph.nodes.filter(({ inputs }) => inputs.includes(name));
  const weight = graph.initializers.get(conv?.inputs[1] ?? '');
  if (
    !weight ||
    others.length > 0 ||
    conv.opType !== 'Conv' ||
    intAttribute(conv, 'group', 1) > 1
  ) {
    throw new LcqError(
      'UNSUPPORTED',
      `image '${name}' must be read by one Conv of one group alone`,
    );
  }
  const { scaled, shift } = folded(weight, normalization);
  const writer = new NetworkWriter(graph.name, new Random(1));
  const planes = writer.image(name, height, width);
  const initializers = new Map([...graph.initializers, ...writer.graph.initializers]);
  initializers.set(conv.inputs[1], scaled);
  const first = { ...conv, inputs: [planes.name, ...conv.inputs.slice(1)] };
  const add = (tensor: string, sign: 1 | -1) => {
    const values = elementsOf(initializers.get(tensor) as TensorData, 'float32');
    const moved = Float32Array.from(values, (value, m) => value + sign * shift[m]);
    initializers.set(tensor, tensorOf('float32', [moved.length], moved));
  };
  const norm = normalizationAfter(graph, conv);
  if (norm) add(norm.inputs[3], -1);
  else if (first.inputs[2]) add(first.inputs[2], 1);
  else {
    first.inputs[2] = `${conv.outputs[0]}.bias`;
    initializers.set(first.inputs[2], tensorOf('float32', [shift.length], shift));
  }
  const rest = graph.nodes.map((node) => (node === conv ? first : node));
  const { inputs, nodes } = writer.graph;
  return { ...graph, inputs, nodes: [...nodes, ...rest], initializers };
}

/** Weights [M,3,kh,kw] of the trainer's pixels instead of normalized ones, and what is missing then in each channel. */
function folded(weight: TensorData, { scale, mean, std }: PixelNormalization) {
  const values = elementsOf(weight, 'float32');
  const [m, channels, ...window] = weight.shape;
  const taps = window.reduce((product, size) => product * size, 1);
  const gain = std.map((s) => scale / s / PIXEL_SCALE);
  const offset = std.map((s, c) => (PIXEL_ZERO * scale - mean[c]) / s);
  const channelOf = (i: number) => Math.floor(i / taps) % channels;
  const shift = new Float32Array(m);
  for (const [i, value] of values.entries()) {
    shift[Math.floor(i / (channels * taps))] += value * offset[channelOf(i)];
  }
  const products = Float32Array.from(values, (value, i) => value * gain[channelOf(i)]);
  return { scaled: tensorOf('float32', weight.shape, products), shift };
}

/** The batch normalization that alone reads a convolution: its mean takes up a shift. */
function normalizationAfter({ nodes }: Graph, { outputs: [y] }: Node): Node | undefined {
  const [reader, ...others] = nodes.filter(({ inputs }) => inputs.includes(y));
  return others.length === 0 && reader?.opType === 'BatchNormalization' ? reader : undefined;
}
