import type { WeightBits } from '../../lcq/bit-packing.js';
import type { Graph, Node } from '../../onnx/graph.js';
import { type Block, cutIntoBlocks } from './blocks.js';
import { fitWeights, type WeightFitSettings } from './fit-weights.js';
import { fitQuantizer } from './grid-fit.js';
import {
  type ActivationFit,
  activationCap,
  insertFittedQuantizers,
  type WeightFit,
} from './insert.js';
import { type FitProgress, mixedPrecision } from './mixed-precision.js';
import { type Activations, elementsPerImage, NetworkRunner } from './network-runner.js';
import { observeValues } from './observe.js';
import { type ActivationBits, planQuantization, type QuantizationPlan } from './plan.js';
import { type ReconstructionSettings, reconstructBlock } from './reconstruct.js';

export interface PostTrainingSettings extends WeightFitSettings {
  readonly weightBits: WeightBits;
  readonly activationBits: ActivationBits;
  /** Bits of an inner weight on average, if layers get 2, 3, 4 or 8 bits by how much the output suffers. */
  readonly averageWeightBits?: number;
  readonly reconstruction: ReconstructionSettings;
}

/** A layer as it was fitted, for reports. */
export interface LayerReport {
  readonly name: string;
  readonly op: string;
  readonly weightBits: number;
  /** Signal over quantization noise, decibels; absent for 8 uniform bits without a clip. */
  readonly weightSqnr?: number;
  /** Absent for a layer that reads pooled features. */
  readonly activationBits?: number;
  readonly activationSqnr?: number;
}

/** A block whose parameters were moved. */
export interface BlockReport {
  readonly layers: readonly string[];
  /** Signal over noise of its output, decibels. */
  readonly before: number;
  readonly after: number;
}

/** A network with fitted quantizers, before any reconstruction. */
export interface FittedNetwork {
  readonly graph: Graph;
  readonly blocks: readonly Block[];
  readonly layers: readonly LayerReport[];
}

/** Fits clips and companders of a canonical graph by squared error on calibration images, and inserts them. */
export async function fitNetwork(
  graph: Graph,
  images: Activations,
  settings: PostTrainingSettings,
  onProgress: FitProgress,
): Promise<FittedNetwork> {
  const uniform = planQuantization(graph, settings);
  const plan = settings.averageWeightBits
    ? await mixedPrecision(graph, uniform, images, settings, settings.averageWeightBits, onProgress)
    : uniform;
  const { intervals, companding } = settings;
  const observed = await observeValues(
    graph,
    [...plan.activations.keys()],
    images,
    settings.reconstruction,
  );
  const total = plan.activations.size + plan.layers.size;
  let done = 0;
  const activations = new Map<string, ActivationFit & { readonly error: number }>();
  for (const [value, bits] of plan.activations) {
    const sample = observed.get(value)?.sample as Float32Array;
    const signed = sample.some((v) => v < 0);
    const cap = activationCap(bits, signed);
    const fit = fitQuantizer(sample, {
      bits,
      signed,
      cap,
      intervals,
      companding: companding && bits < 8,
    });
    activations.set(value, { ...fit, signed });
    onProgress('fit quantizers', ++done, total);
  }
  const weights = new Map<Node, WeightFit & { readonly error: number }>();
  for (const [node, { weightBits }] of plan.layers) {
    if (node.opType === 'Conv') weights.set(node, fitWeights(graph, node, weightBits, settings));
    onProgress('fit quantizers', ++done, total);
  }
  const quantized = insertFittedQuantizers(graph, plan, { activations, weights });
  const layers = report(plan, activations, weights);
  return { graph: quantized, blocks: cutIntoBlocks(graph, plan), layers };
}

function report(
  plan: QuantizationPlan,
  activations: ReadonlyMap<string, { readonly error: number }>,
  weights: ReadonlyMap<Node, { readonly error: number }>,
): LayerReport[] {
  return [...plan.layers].map(([node, { weightBits }]) => {
    const [input] = node.inputs;
    const activationBits = plan.activations.get(input);
    return {
      name: node.name,
      op: node.opType,
      weightBits,
      ...sqnr('weightSqnr', weights.get(node)),
      ...(activationBits && { activationBits }),
      ...sqnr('activationSqnr', activations.get(input)),
    };
  });
}

function sqnr<T extends string>(name: T, fit: { readonly error: number } | undefined) {
  return fit && ({ [name]: decibels(fit.error) } as Record<T, number>);
}

/** Binary32 knows no less noise. */
const LEAST_NOISE = 2 ** -48;

function decibels(noiseOverSignal: number): number {
  return -10 * Math.log10(Math.max(noiseOverSignal, LEAST_NOISE));
}

export interface ReconstructionHooks {
  /** Called after every step. */
  readonly onStep: (block: number, step: number, loss: number) => void;
  /** Called with the network as it is after every block. */
  readonly onBlock: (block: number, graph: Graph, report: BlockReport) => Promise<void>;
}

/** Share of the images that no block learns from: they tell whether what it learnt serves others. */
const HELD_OUT = 1 / 8;

/**
 * Reconstructs a fitted network block by block, from the image on: each block learns to give what the full-precision
 * network gives, on the input that the quantized blocks before it give.
 * @param full the canonical graph
 * @param done blocks that `fitted` has been through already
 */
export async function reconstructNetwork(
  full: Graph,
  fitted: Graph,
  blocks: readonly Block[],
  images: Activations,
  settings: ReconstructionSettings,
  done: number,
  hooks: ReconstructionHooks,
): Promise<Graph> {
  const seen = images.count - Math.floor(images.count * HELD_OUT);
  let graph = fitted;
  let exact = images;
  let quantized = images;
  for (const [index, block] of blocks.entries()) {
    const target = await forward(full, block, exact, settings);
    let next = await forward(graph, block, quantized, settings);
    if (index >= done) {
      const before = noise(next, target, seen);
      const onStep = (step: number, loss: number) => hooks.onStep(index, step, loss);
      const moved = await reconstructBlock(
        graph,
        block,
        index,
        { ...quantized, count: seen },
        { ...target, count: seen },
        settings,
        onStep,
      );
      const output = await forward(moved, block, quantized, settings);
      const after = noise(output, target, seen);
      // A block that got worse on images that it has not learnt from stays as it was.
      if (after < before) [graph, next] = [moved, output];
      await hooks.onBlock(index, graph, {
        layers: block.layers,
        before: decibels(before),
        after: decibels(Math.min(before, after)),
      });
    }
    [exact, quantized] = [target, next];
  }
  return graph;
}

async function forward(
  graph: Graph,
  { from, to }: Block,
  input: Activations,
  settings: ReconstructionSettings,
): Promise<Activations> {
  const runner = await NetworkRunner.create(
    graph,
    { name: from, shape: input.shape },
    [to],
    settings,
  );
  try {
    return await runner.run(input);
  } finally {
    await runner.release();
  }
}

/** Squared error over squared signal of the images behind the first `seen`. */
function noise(values: Activations, exact: Activations, seen: number): number {
  let [error, energy] = [0, 0];
  for (let i = seen * elementsPerImage(exact); i < exact.data.length; i++) {
    error += (values.data[i] - exact.data[i]) ** 2;
    energy += exact.data[i] ** 2;
  }
  return error / Math.max(energy, Number.MIN_VALUE);
}
