import { gridCode } from '../../lcq/grid.js';
import { symmetricLevels } from '../../lcq/levels.js';
import { GraphBuilder } from '../../onnx/builder.js';
import { elementsOf, tensorOf } from '../../onnx/elements.js';
import type { Graph, Node, TensorData } from '../../onnx/graph.js';
import { lower } from '../../training/autodiff.js';
import { GraphSession } from '../../training/graph-session.js';
import { Random } from '../../training/random.js';
import { gridOf } from '../layer-weights.js';
import { Topology } from '../topology.js';
import type { Block } from './blocks.js';
import { chooseDamping, normalEquations, roundWithFeedback } from './error-feedback.js';
import { inClips } from './insert.js';
import { type ConvShapes, drawPositions, LayerSamples } from './layer-samples.js';
import {
  type Activations,
  elementsPerImage,
  NetworkRunner,
  standardModel,
} from './network-runner.js';

export interface SolveSettings {
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
}

/** Samples for each input of a layer, and at least. */
const SAMPLES = { perInput: 20, least: 8192 };

/**
 * Solves for the weights and biases of a fitted network, layer by layer from the image on: each layer comes as close as
 * rounding allows to what it gives in full precision, on the input that it gets in the quantized network. No gradients:
 * one pass over the calibration images.
 * @param full the canonical graph
 * @returns the fitted graph with weights and biases moved
 */
export async function solveLayers(
  full: Graph,
  fitted: Graph,
  blocks: readonly Block[],
  images: Activations,
  settings: SolveSettings,
  onLayer: (name: string) => void,
): Promise<Graph> {
  const shapes = shapesOf(fitted, images.shape);
  const random = new Random(settings.seed);
  let graph = fitted;
  let exact = images;
  let quantized = images;
  for (const { from, to, layers } of blocks) {
    const convs = graph.nodes.filter(({ name, opType }) => {
      return opType === 'Conv' && layers.includes(name);
    });
    const samples = convs.map((conv) => samplesOf(graph, conv, shapes, images.count, random));
    const sums = convs.map((conv) => residualSum(graph, conv));
    const outputs = convs.map((conv, i) => sums[i]?.sum ?? conv.outputs[0]);
    const next = activations(shapes, to, images.count);
    await forEachBatch(full, from, exact, [...outputs, to], settings, (values, first) => {
      for (const [i, sample] of samples.entries()) sample.addOutputs(values[i], first);
      keep(next, values[convs.length], first);
    });
    exact = next;
    for (const [i, conv] of convs.entries()) {
      const other = sums[i]?.other;
      const read = [conv.inputs[0], ...(other ? [other] : [])];
      await forEachBatch(graph, from, quantized, read, settings, ([value, added], first) => {
        samples[i].addInputs(value, first);
        if (added) samples[i].subtractFromOutputs(added, first);
      });
      graph = await solved(graph, conv, samples[i], settings.threads);
      onLayer(conv.name);
    }
    const output = activations(shapes, to, images.count);
    await forEachBatch(graph, from, quantized, [to], settings, ([value], first) =>
      keep(output, value, first),
    );
    quantized = output;
  }
  return graph;
}

/**
 * The sum that a convolution alone feeds, and what else is added in it, if that is known by then: the layer makes good
 * for the errors of the shortcut too.
 */
function residualSum(graph: Graph, conv: Node): { sum: string; other: string } | undefined {
  const topology = new Topology(graph);
  const add = topology.soleReader(conv.outputs[0], 'Add');
  const other = add?.inputs.find((name) => name !== conv.outputs[0]);
  const made = other && topology.producer(other);
  if (!add || !made || graph.nodes.indexOf(made) > graph.nodes.indexOf(conv)) return undefined;
  return { sum: add.outputs[0], other };
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Of every value, for one image. */
function shapesOf(graph: Graph, image: readonly number[]): Shapes {
  const b = new GraphBuilder('shapes');
  const [{ name }] = graph.inputs;
  const bindings = new Map([[name, b.input(name, [1, ...image])]]);
  const { values } = lower(b, graph, bindings, new Set(), false);
  return new Map([...values].map(([value, { shape }]) => [value, shape]));
}

function samplesOf(graph: Graph, conv: Node, shapes: Shapes, images: number, random: Random) {
  const of = (value: string) => shapes.get(value) as readonly number[];
  const { latent } = quantizerOf(new Topology(graph), conv);
  const weight = (graph.initializers.get(latent) as TensorData).shape;
  const layer: ConvShapes = {
    input: of(conv.inputs[0]).slice(1),
    weight,
    output: of(conv.outputs[0]).slice(1),
  };
  const area = layer.output[1] * layer.output[2];
  const inputs = weight[1] * weight[2] * weight[3];
  const wanted = Math.max(SAMPLES.least, SAMPLES.perInput * inputs);
  const perImage = Math.min(area, Math.ceil(wanted / images));
  return new LayerSamples(conv, layer, drawPositions(images, perImage, area, random));
}

/** The nodes of clip Q(v), as insert.ts writes a layer's weights, and the names of v and of the clip. */
function quantizerOf(topology: Topology, conv: Node) {
  const restored = topology.expect(conv.inputs[1], 'Mul', conv);
  const quantize = topology.expect(restored.inputs[0], 'Quantize', restored);
  return { quantize, latent: quantize.inputs[0], clip: restored.inputs[1] };
}

function activations(shapes: Shapes, value: string, count: number): Activations {
  const shape = (shapes.get(value) as readonly number[]).slice(1);
  return { shape, count, data: new Float32Array(count * shape.reduce((a, b) => a * b, 1)) };
}

function keep(activations: Activations, values: Float32Array, first: number): void {
  activations.data.set(values, first * elementsPerImage(activations));
}

async function forEachBatch(
  graph: Graph,
  from: string,
  input: Activations,
  to: readonly string[],
  settings: SolveSettings,
  visit: (values: readonly Float32Array[], first: number) => void,
): Promise<void> {
  const runner = await NetworkRunner.create(
    graph,
    { name: from, shape: input.shape },
    to,
    settings,
  );
  try {
    await runner.forEachBatch(input, visit);
  } finally {
    await runner.release();
  }
}

async function solved(
  graph: Graph,
  conv: Node,
  samples: LayerSamples,
  threads: number,
): Promise<Graph> {
  const { groups, inputs, outputs } = samples;
  const topology = new Topology(graph);
  const { quantize, latent, clip } = quantizerOf(topology, conv);
  const { grid, scale } = gridOf(topology, quantize);
  const floats = (name: string) =>
    elementsOf(graph.initializers.get(name) as TensorData, 'float32');
  const clips = floats(clip);
  const size = floats(latent).length / clips.length;
  const weights = floats(latent).map((v, i) => v * clips[Math.floor(i / size)]);
  const unitOf = (m: number) => clips[m % clips.length];
  const signed = [...new Set(symmetricLevels(grid.levels))].map((level) => level * scale);
  const round = (weight: number, m: number) => {
    const code = gridCode(grid, weight / unitOf(m));
    return Math.sign(code) * grid.levels[Math.abs(code)] * scale * unitOf(m);
  };
  const biasName = conv.inputs[2] ?? '';
  const { seen, unseen } = await gramMatrices(samples, threads);
  const moved = new Float32Array(weights.length);
  const bias = new Float32Array(groups * outputs);
  const gramSize = seen.length / groups;
  for (let g = 0; g < groups; g++) {
    const [part, rest] = [seen, unseen].map((gram) =>
      gram.subarray(g * gramSize, (g + 1) * gramSize),
    );
    const equations = (gram: Float32Array) =>
      normalEquations(gram, inputs, outputs, biasName !== '');
    const rows = weights.subarray(g * outputs * inputs, (g + 1) * outputs * inputs);
    const quantizeRow = (weight: number, m: number) => round(weight, g * outputs + m);
    const damping = chooseDamping(rows, equations(part), equations(rest), quantizeRow);
    const solution = roundWithFeedback(
      rows,
      equations(part.map((v, i) => v + rest[i])),
      damping,
      quantizeRow,
      (m) => signed.map((level) => level * unitOf(g * outputs + m)),
    );
    moved.set(solution.weights, g * outputs * inputs);
    bias.set(solution.bias, g * outputs);
  }
  const initializers = new Map(graph.initializers);
  const { shape } = graph.initializers.get(latent) as TensorData;
  initializers.set(latent, tensorOf('float32', shape, inClips(moved, clips)));
  if (biasName !== '') initializers.set(biasName, tensorOf('float32', [bias.length], bias));
  return { ...graph, initializers };
}

/** Share of the samples, from the last images, that a layer's damping is chosen by. */
const UNSEEN = 1 / 4;

/** Z^T Z of the samples of each group, apart for those that damping is chosen by. */
async function gramMatrices({ groups, count, columns, data }: LayerSamples, threads: number) {
  const b = new GraphBuilder('gram');
  const z = b.input('z', [groups, count, columns]);
  const border = Math.ceil(count * (1 - UNSEEN));
  for (const [name, from, to] of [
    ['seen', 0, border],
    ['unseen', border, count],
  ] as const) {
    const part = b.slice(z, [1], [from], [to]);
    b.output(name, b.matmul(b.transpose(part, [0, 2, 1]), part));
  }
  const session = await GraphSession.create(standardModel(b.graph), threads);
  try {
    const { seen, unseen } = await session.run({ z: data });
    return { seen, unseen };
  } finally {
    await session.release();
  }
}
