import { uniformSteps } from '../../lcq/uniform-quantizer.js';
import { intAttribute } from '../../onnx/attributes.js';
import { elementsOf } from '../../onnx/elements.js';
import type { Graph, Node, TensorData } from '../../onnx/graph.js';
import { GraphSession } from '../../training/graph-session.js';
import { withParameters } from '../../training/parameters.js';
import { Random } from '../../training/random.js';
import { nextOf } from '../../training/step-graph.js';
import { type Block, subgraph } from './blocks.js';
import { type Activations, elementsPerImage } from './network-runner.js';
import {
  activationQuantizers,
  correctedRate,
  firstMomentOf,
  reconstructionStep,
  secondMomentOf,
  type TrainedParameter,
} from './reconstruction-step.js';

export interface ReconstructionSettings {
  /** Steps for each block. */
  readonly steps: number;
  readonly batch: number;
  readonly seed: number;
  readonly threads: number;
  /** Probability that an element of an activation is not quantized in a step. */
  readonly drop: number;
  /** Adam's rates: of weights and biases in quantization steps, of clips in units of themselves, of theta as it is. */
  readonly rates: Readonly<Record<'weight' | 'clip' | 'bias' | 'activation' | 'compander', number>>;
}

/**
 * Moves the parameters of one block (BRECQ, arXiv 2102.05426) so that, from the input that the quantized network gives
 * it, it comes close to the output of the full-precision one.
 * @param index of the block: with the seed it determines all random choices
 * @returns the graph with the parameters moved
 */
export async function reconstructBlock(
  graph: Graph,
  { from, to }: Block,
  index: number,
  input: Activations,
  target: Activations,
  settings: ReconstructionSettings,
  onStep: (step: number, loss: number) => void,
): Promise<Graph> {
  const { batch, steps, seed } = settings;
  const part = subgraph(graph, from, [to]);
  const parameters = trainedParameters(part, settings);
  if (parameters.length === 0) return graph;
  const shape = [batch, ...input.shape];
  const { model, masks } = reconstructionStep(part, { name: from, shape }, to, parameters);
  const session = await GraphSession.create(model, settings.threads);
  const random = new Random(seed, index);
  const bits = new MaskBits(1 + random.integer(2 ** 31));
  const feeds: Record<string, Float32Array> = {
    [from]: new Float32Array(batch * elementsPerImage(input)),
    target: new Float32Array(batch * elementsPerImage(target)),
  };
  for (const { name } of parameters) {
    feeds[name] = floats(graph, name);
    feeds[firstMomentOf(name)] = new Float32Array(feeds[name].length);
    feeds[secondMomentOf(name)] = new Float32Array(feeds[name].length);
  }
  for (const { name, size } of masks) feeds[name] = new Float32Array(size);
  try {
    for (let step = 1; step <= steps; step++) {
      for (let i = 0; i < batch; i++) {
        const image = random.integer(input.count);
        copyImage(input, image, feeds[from], i);
        copyImage(target, image, feeds.target, i);
      }
      for (const { name } of masks) bits.fill(feeds[name], 1 - settings.drop);
      feeds.rate = Float32Array.of(correctedRate(scheduled(step, steps), step));
      const results = await session.run(feeds);
      for (const name of Object.keys(feeds)) feeds[name] = results[nextOf(name)] ?? feeds[name];
      onStep(step, results.loss[0]);
    }
  } finally {
    await session.release();
  }
  return withParameters(graph, new Map(parameters.map(({ name }) => [name, feeds[name]])));
}

/** Steps until the rate is up: the first directions of Adam are noise of one batch, in full steps of every parameter. */
const WARM_UP = 0.1;

/** A linear rise, then a cosine down to zero; for step 1, 2, ... */
function scheduled(step: number, steps: number): number {
  const rise = Math.min(1, step / (WARM_UP * steps));
  return rise * 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
}

function copyImage(from: Activations, image: number, to: Float32Array, at: number): void {
  const size = elementsPerImage(from);
  to.set(from.data.subarray(image * size, (image + 1) * size), at * size);
}

function floats(graph: Graph, name: string): Float32Array {
  return elementsOf(graph.initializers.get(name) as TensorData, 'float32');
}

/** What a block's quantizers and layers can be moved by. */
function trainedParameters(
  part: Graph,
  { rates }: Pick<ReconstructionSettings, 'rates'>,
): TrainedParameter[] {
  const activations = activationQuantizers(part);
  const producers = new Map(part.nodes.map((node) => [node.outputs[0], node]));
  const found = new Map<string, TrainedParameter>();
  const add = (name: string, scale: Float32Array) => {
    const { shape } = part.initializers.get(name) as TensorData;
    if (scale.every((s) => s !== 0)) found.set(name, { name, shape, scale });
  };
  for (const node of part.nodes) {
    if (activations.has(node)) {
      const [, alpha, theta] = node.inputs;
      add(
        alpha,
        floats(part, alpha).map((a) => a * rates.activation),
      );
      if (intAttribute(node, 'bits') < 8) add(theta, Float32Array.of(rates.compander));
    }
    const weights = node.opType === 'Conv' && weightQuantizer(producers, node);
    if (!weights) continue;
    const { latent, clip } = weights;
    const clips = floats(part, clip);
    const quantizationSteps = uniformSteps(intAttribute(weights.quantize, 'bits'), true);
    add(latent, Float32Array.of(rates.weight / quantizationSteps));
    add(
      clip,
      clips.map((c) => c * rates.clip),
    );
    add(weights.quantize.inputs[2], Float32Array.of(rates.compander));
    const bias = node.inputs[2];
    const input = producers.get(node.inputs[0]);
    if (bias && input?.opType === 'Quantize') {
      const [alpha] = floats(part, input.inputs[1]);
      add(
        bias,
        clips.map((c) => (c / quantizationSteps) * alpha * rates.bias),
      );
    }
  }
  return [...found.values()];
}

/** The node Quantize of clip Q(v), and the names of v and of the clip. */
function weightQuantizer(producers: ReadonlyMap<string, Node>, conv: Node) {
  const restored = producers.get(conv.inputs[1]);
  const quantize = restored && producers.get(restored.inputs[0]);
  return quantize && { quantize, latent: quantize.inputs[0], clip: restored.inputs[1] };
}

/** Random zeros and ones by the million: Marsaglia's xorshift of 32 bits. */
class MaskBits {
  private state: number;

  /** @param seed not zero */
  constructor(seed: number) {
    this.state = seed;
  }

  fill(mask: Float32Array, probability: number): void {
    const bound = probability * 2 ** 32;
    let state = this.state;
    for (let i = 0; i < mask.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      mask[i] = state >>> 0 < bound ? 1 : 0;
    }
    this.state = state;
  }
}
