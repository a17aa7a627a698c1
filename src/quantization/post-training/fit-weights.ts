import type { WeightBits } from '../../lcq/bit-packing.js';
import { gridCode, quantizerGrid } from '../../lcq/grid.js';
import { levelCaps } from '../../lcq/levels.js';
import type { Graph, Node, TensorData } from '../../onnx/graph.js';
import { floatsOf } from '../../training/parameters.js';
import { fitRows } from './grid-fit.js';
import { inClips, type WeightFit } from './insert.js';

export interface WeightFitSettings {
  /** Intervals K of the companders. */
  readonly intervals: number;
  /** Whether companders are fitted; else all levels are uniform. */
  readonly companding: boolean;
  /** A clip for every output channel, or one for a layer. */
  readonly perChannel: boolean;
}

/** Fits the quantizer of a convolution's weights; `error` is squared error over squared signal. */
export function fitWeights(
  graph: Graph,
  conv: Node,
  bits: WeightBits,
  { intervals, companding, perChannel }: WeightFitSettings,
): WeightFit & { readonly error: number } {
  const [, name] = conv.inputs;
  const floats = floatsOf(graph, name);
  const count = perChannel ? (graph.initializers.get(name) as TensorData).shape[0] : 1;
  const size = floats.length / count;
  const rows = Array.from({ length: count }, (_, m) => floats.subarray(m * size, (m + 1) * size));
  const cap = levelCaps[bits].weights;
  return fitRows(rows, { bits, signed: true, cap, intervals, companding: companding && bits < 8 });
}

/** Weights as their quantizer gives them back. */
export function restoredWeights(
  weights: Float32Array,
  { clips, theta }: WeightFit,
  bits: WeightBits,
): Float32Array {
  const cap = levelCaps[bits].weights;
  const grid = quantizerGrid({ alpha: 1, theta, bits, signed: true, cap });
  const size = weights.length / clips.length;
  return inClips(weights, clips).map((v, i) => {
    const code = gridCode(grid, v);
    return (Math.sign(code) * grid.levels[Math.abs(code)] * clips[Math.floor(i / size)]) / cap;
  });
}
