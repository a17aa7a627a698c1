import type { Graph } from '../../onnx/graph.js';
import { Random } from '../random.js';
import { type FeatureMap, NetworkWriter } from './network-writer.js';

/** Pixels for one cell of the head's grid, both ways. */
export const CELL_STRIDE = 8;
/** Columns of a cell before those of the classes: centre x and y, width, height, objectness. */
export const BOX_COLUMNS = 4;
export const CLASS_COLUMN = 5;

/** The share of cells that show an object, at the start (Lin et al. 2017, section 3.3). */
const PRIOR = 0.01;
/** e^1.5 strides: the size of boxes at the start. */
const LOG_SIZE = 1.5;

/**
 * A small one-stage detector: a residual network down to an eighth of the image, then blocks with dilation 2, which see
 * large objects without a coarser grid, and a head without anchors that makes one box a cell.
 *
 * Input `image` uint8 [N, height, width, 3]; output `cells` float32 [N, cells, 5 + classes], rows of cells from the top:
 * as the decoder of YOLOX takes them, but for objectness and classes, which are logits (see `withProbabilities`).
 * Weights are drawn by `seed`.
 * @param height, width multiples of 8
 */
export function oneStageDetector(
  classes: number,
  [height, width]: readonly [number, number],
  seed: number,
): Graph {
  if (height % CELL_STRIDE !== 0 || width % CELL_STRIDE !== 0) {
    throw new RangeError(`${height} x ${width} pixels are no multiples of ${CELL_STRIDE}`);
  }
  const net = new NetworkWriter('one-stage-detector', new Random(seed));
  let x = net.layer('stem', net.image('image', height, width), { channels: 16, stride: 2 });
  x = net.residualBlock('block0', x, { channels: 24, stride: 2 });
  x = net.residualBlock('block1', x, { channels: 48, stride: 2 });
  x = net.residualBlock('block2', x, { channels: 48, dilation: 2 });
  x = net.residualBlock('block3', x, { channels: 48, dilation: 2 });
  head(net, net.layer('neck', x, { channels: 48 }), classes);
  return net.graph;
}

function head(net: NetworkWriter, x: FeatureMap, classes: number): void {
  const columns = CLASS_COLUMN + classes;
  const weight = net.weights('head', [columns, x.channels, 1, 1], 0.01);
  const start = [0.5, 0.5, LOG_SIZE, LOG_SIZE, -Math.log((1 - PRIOR) / PRIOR)];
  const bias = net.floats('head.bias', [columns], (column) => start[column] ?? 0);
  const planes = net.node('Conv', [x.name, weight, bias], 'head.conv', {
    kernel_shape: { ints: [1, 1] },
    strides: { ints: [1, 1] },
    pads: { ints: [0, 0, 0, 0] },
    dilations: { ints: [1, 1] },
    group: { int: 1 },
  });
  const rows = net.node('Transpose', [planes], 'head.rows', { perm: { ints: [0, 2, 3, 1] } });
  const cells = x.height * x.width;
  net.node('Reshape', [rows, net.int64s('head.shape', [-1, cells, columns])], 'cells');
  net.output('cells', ['N', cells, columns]);
}

/**
 * The network as it is served: its output, now `boxes`, has probabilities instead of logits.
 * @param graph of `oneStageDetector`, quantized or not
 */
export function withProbabilities(graph: Graph): Graph {
  const [{ name, type }] = graph.outputs;
  const [, cells, columns] = type.shape as readonly [string, number, number];
  const net = new NetworkWriter(graph.name, new Random(0));
  const part = (label: string, from: number, to: number): string => {
    const lists = { starts: [from], ends: [to], axes: [2] };
    const inputs = Object.entries(lists).map(([list, ints]) =>
      net.int64s(`${label}.${list}`, ints),
    );
    return net.node('Slice', [name, ...inputs], label);
  };
  const places = part('boxes.places', 0, BOX_COLUMNS);
  const logits = part('boxes.logits', BOX_COLUMNS, columns);
  const probabilities = net.node('Sigmoid', [logits], 'boxes.probabilities');
  net.node('Concat', [places, probabilities], 'boxes', { axis: { int: 2 } });
  net.output('boxes', ['N', cells, columns]);
  const { nodes, initializers, outputs } = net.graph;
  return {
    ...graph,
    nodes: [...graph.nodes, ...nodes],
    initializers: new Map([...graph.initializers, ...initializers]),
    outputs,
  };
}

/** Undoes `withProbabilities`; a graph that it did not make stays as it is. */
export function withLogits(graph: Graph): Graph {
  const places = graph.nodes.find(({ name }) => name === 'boxes.places');
  const [output] = graph.outputs;
  if (!places || output.name !== 'boxes') return graph;
  return {
    ...graph,
    nodes: graph.nodes.filter(({ name }) => name !== 'boxes' && !name.startsWith('boxes.')),
    outputs: [{ ...output, name: places.inputs[0] }],
  };
}
