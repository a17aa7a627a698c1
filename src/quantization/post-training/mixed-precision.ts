import type { WeightBits } from '../../lcq/bit-packing.js';
import type { Graph, Node } from '../../onnx/graph.js';
import { floatsOf } from '../../training/parameters.js';
import { allocateBits } from './bit-allocation.js';
import { fitWeights, restoredWeights, type WeightFitSettings } from './fit-weights.js';
import type { Activations } from './network-runner.js';
import type { PlannedLayer, QuantizationPlan } from './plan.js';
import { SensitivityProbe } from './sensitivity.js';

const CHOICES: readonly WeightBits[] = [2, 3, 4, 8];
/** Called after every item of a stage. */
export type FitProgress = (stage: string, done: number, total: number) => void;

/** Images that sensitivity is measured on: it is compared between layers on the same ones. */
const MOST_IMAGES = 32;

export interface MixedPrecisionSettings extends WeightFitSettings {
  readonly reconstruction: { readonly batch: number; readonly threads: number };
}

/**
 * Gives every layer of a plan between the first and the last ones its own weight bits: those that, by the error of the
 * network's output with the weights of one layer alone quantized, cost least in all.
 * @param averageBits of the weights of these layers
 * @throws LcqError INVALID_ARGUMENT for an average below the fewest bits
 */
export async function mixedPrecision(
  graph: Graph,
  plan: QuantizationPlan,
  images: Activations,
  settings: MixedPrecisionSettings,
  averageBits: number,
  onProgress: FitProgress,
): Promise<QuantizationPlan> {
  const inner = [...plan.layers].flatMap(([node, { border }]) =>
    border || node.opType !== 'Conv' ? [] : [node],
  );
  const { batch, threads } = settings.reconstruction;
  const count = Math.max(batch, MOST_IMAGES - (MOST_IMAGES % batch));
  const few = { ...images, count: Math.min(images.count, count) };
  const probe = await SensitivityProbe.create(graph, inner, few, { batch, threads });
  const total = inner.length * CHOICES.length;
  let done = 0;
  const errorsOf = async (node: Node) => {
    const errors = new Map<WeightBits, number>();
    const [, name] = node.inputs;
    const weights = floatsOf(graph, name);
    for (const bits of CHOICES) {
      const fit = fitWeights(graph, node, bits, settings);
      errors.set(bits, await probe.errorWith(name, restoredWeights(weights, fit, bits)));
      onProgress('measure sensitivity', ++done, total);
    }
    return { weights: weights.length, errors };
  };
  try {
    const layers = [];
    for (const node of inner) layers.push(await errorsOf(node));
    const bits = allocateBits(layers, averageBits);
    const chosen = inner.map((node, i): [Node, PlannedLayer] => [
      node,
      { weightBits: bits[i], border: false },
    ]);
    return { ...plan, layers: new Map([...plan.layers, ...chosen]) };
  } finally {
    await probe.release();
  }
}
