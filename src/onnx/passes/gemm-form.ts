import { floatAttribute, intAttribute } from '../attributes.js';
import { elementsOf, tensorOf } from '../elements.js';
import type { Graph, Node, TensorData } from '../graph.js';
import { type Pass, rewrite, soleReader } from './pass.js';

/**
 * Brings fully connected layers to one form, Gemm(x [N,K], w [M,K], bias [M]) with transB = 1: a Gemm with constant
 * weights and no scaling whose weights lie the other way or that has no bias, and a MatMul by a constant matrix with
 * the Add of a constant behind it. Only where x is known to be a matrix (it comes out of a Flatten or a Gemm).
 */
export const gemmForm: Pass = (graph) => {
  const reader = soleReader(graph);
  const producers = new Map(graph.nodes.map((node) => [node.outputs[0], node.opType]));
  const isMatrix = (value: string) => ['Flatten', 'Gemm'].includes(producers.get(value) ?? '');
  const replacements = new Map<Node, Node[]>();
  const constants: [string, TensorData][] = [];
  const replace = (node: Node, last: Node, { weight, bias, transposed }: Layer) => {
    const names = [`${node.name}.gemm_weight`, `${node.name}.gemm_bias`];
    constants.push([names[0], transposed ? weight : transpose(weight)]);
    const rows = weight.shape[transposed ? 0 : 1];
    constants.push([names[1], bias ?? tensorOf('float32', [rows], new Float32Array(rows))]);
    if (last !== node) replacements.set(node, []);
    replacements.set(last, [
      {
        name: node.name,
        opType: 'Gemm',
        domain: '',
        inputs: [node.inputs[0], ...names],
        outputs: last.outputs,
        attributes: { transB: { int: 1 } },
      },
    ]);
  };
  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    const weight = matrix(graph, node.inputs[1]);
    if (!weight) continue;
    if (node.opType === 'Gemm') {
      const transposed = intAttribute(node, 'transB', 0) === 1;
      const bias = graph.initializers.get(node.inputs[2] ?? '');
      const plain =
        intAttribute(node, 'transA', 0) === 0 &&
        floatAttribute(node, 'alpha', 1) === 1 &&
        floatAttribute(node, 'beta', 1) === 1 &&
        (node.inputs.length < 3 || bias?.shape.length === 1);
      if (plain && !(transposed && bias)) replace(node, node, { weight, bias, transposed });
    } else if (node.opType === 'MatMul' && isMatrix(node.inputs[0])) {
      const add = reader(node.outputs[0], 'Add');
      const bias = graph.initializers.get(add?.inputs[1] ?? '');
      const fits = bias?.dtype === 'float32' && bias.shape.join() === String(weight.shape[1]);
      replace(node, add && fits ? add : node, {
        weight,
        bias: fits ? bias : undefined,
        transposed: false,
      });
    }
  }
  return rewrite(graph, replacements, constants);
};

interface Layer {
  readonly weight: TensorData;
  readonly bias: TensorData | undefined;
  /** The weights are [M,K] already. */
  readonly transposed: boolean;
}

function matrix(graph: Graph, name: string | undefined): TensorData | undefined {
  const tensor = graph.initializers.get(name ?? '');
  return tensor?.dtype === 'float32' && tensor.shape.length === 2 ? tensor : undefined;
}

function transpose(tensor: TensorData): TensorData {
  const [rows, columns] = tensor.shape;
  const from = elementsOf(tensor, 'float32');
  const to = from.map((_, i) => from[(i % rows) * columns + Math.floor(i / rows)]);
  return tensorOf('float32', [columns, rows], to);
}
