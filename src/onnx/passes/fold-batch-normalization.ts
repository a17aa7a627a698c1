import { floatAttribute } from '../attributes.js';
import { elementsOf, tensorOf } from '../elements.js';
import type { Graph, Node, TensorData } from '../graph.js';
import { type Pass, rewrite, soleReader } from './pass.js';

/**
 * Folds a BatchNormalization with stored statistics into the weights and the bias of the Conv before it, where nothing
 * else reads that. Equal but for binary32 rounding.
 */
export const foldBatchNormalization: Pass = (graph) => {
  const reader = soleReader(graph);
  const replacements = new Map<Node, Node[]>();
  const constants: [string, TensorData][] = [];
  for (const conv of graph.nodes) {
    if (conv.opType !== 'Conv' || conv.domain !== '') continue;
    const norm = reader(conv.outputs[0], 'BatchNormalization');
    const operands = norm && constantsOf(graph, conv, norm);
    if (!norm || !operands) continue;
    const names = [`${conv.name}.folded_weight`, `${conv.name}.folded_bias`];
    const folded = fold(operands, floatAttribute(norm, 'epsilon', 1e-5));
    constants.push([names[0], folded.weight], [names[1], folded.bias]);
    replacements.set(conv, []);
    replacements.set(norm, [
      { ...conv, inputs: [conv.inputs[0], ...names], outputs: [norm.outputs[0]] },
    ]);
  }
  return rewrite(graph, replacements, constants);
};

interface Operands {
  readonly shape: readonly number[];
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
  /** scale, bias, mean and variance of the normalization */
  readonly norm: readonly Float32Array[];
}

function constantsOf(graph: Graph, conv: Node, norm: Node): Operands | undefined {
  const names = [...conv.inputs.slice(1), ...norm.inputs.slice(1, 5)].filter((name) => name !== '');
  const tensors = names.map((name) => graph.initializers.get(name));
  if (!tensors.every((tensor) => tensor?.dtype === 'float32')) return undefined;
  const floats = tensors.map((tensor) => elementsOf(tensor as TensorData, 'float32'));
  const bias = floats.length === 6 ? floats[1] : undefined;
  return {
    shape: (tensors[0] as TensorData).shape,
    weight: floats[0],
    bias,
    norm: floats.slice(-4),
  };
}

/** y = gain (W x + b - mean) + offset with gain = scale / sqrt(variance + epsilon), in binary64. */
function fold({ shape, weight, bias, norm }: Operands, epsilon: number) {
  const [scale, offset, mean, variance] = norm;
  const gain = Array.from(scale, (s, m) => s / Math.sqrt(variance[m] + epsilon));
  const perChannel = weight.length / shape[0];
  const folded = weight.map((w, i) => w * gain[Math.floor(i / perChannel)]);
  const moved = Float32Array.from(gain, (g, m) => g * ((bias?.[m] ?? 0) - mean[m]) + offset[m]);
  return {
    weight: tensorOf('float32', shape, folded),
    bias: tensorOf('float32', [shape[0]], moved),
  };
}
