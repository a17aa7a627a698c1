import { intAttribute, intsAttribute } from '../attributes.js';
import { elementsOf, tensorOf } from '../elements.js';
import type { Graph, NamedType, Node, TensorData } from '../graph.js';
import { type Pass, rewrite } from './pass.js';

/**
 * Lets a graph that was exported for one image take any number: a Reshape to [1, ...] keeps the first axis instead, a
 * Resize to [1, C, H, W] names only the other axes. Nothing changes where a node may mix the first axis with others.
 */
export const freeBatch: Pass = (graph) => {
  const [input] = graph.inputs;
  if (input?.type.shape[0] !== 1 || graph.inputs.length > 1) return graph;
  if (!graph.nodes.every((node) => keepsFirstAxis(graph, node))) return graph;
  const constants: [string, TensorData][] = [];
  const replacements = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    const sizes = sizesOf(graph, node);
    if (sizes?.[0] !== 1) continue;
    const name = `${node.outputs[0]}.sizes`;
    const rest = sizes.slice(1);
    const reshapes = node.opType === 'Reshape';
    const wanted = reshapes ? [0, ...rest] : rest;
    constants.push([name, tensorOf('int64', [wanted.length], BigInt64Array.from(wanted, BigInt))]);
    const [x] = node.inputs;
    const axes = { ints: rest.map((_, i) => i + 1) };
    const free = reshapes
      ? { ...node, inputs: [x, name] }
      : // Older opsets give empty scales beside sizes; newer ones leave them out.
        { ...node, inputs: [x, '', '', name], attributes: { ...node.attributes, axes } };
    replacements.set(node, [free]);
  }
  const anyBatch = ({ name, type }: NamedType): NamedType => {
    return { name, type: { ...type, shape: ['N', ...type.shape.slice(1)] } };
  };
  const { inputs, outputs } = graph;
  return {
    ...rewrite(graph, replacements, constants),
    inputs: inputs.map(anyBatch),
    outputs: outputs.map(anyBatch),
  };
};

/** What a Reshape, or a Resize by sizes, makes of the axes. */
function sizesOf(graph: Graph, node: Node): number[] | undefined {
  const index = node.opType === 'Reshape' ? 1 : node.opType === 'Resize' ? 3 : undefined;
  if (index === undefined || node.attributes.axes) return undefined;
  const tensor = graph.initializers.get(node.inputs[index] ?? '');
  return tensor && Array.from(elementsOf(tensor, 'int64'), Number);
}

/** Whether the first axis of a node's output is that of its input, in the ops that could make it another. */
function keepsFirstAxis(graph: Graph, node: Node): boolean {
  switch (node.opType) {
    case 'Reshape':
      return [0, 1].includes(sizesOf(graph, node)?.[0] ?? -1);
    case 'Transpose':
      return intsAttribute(node, 'perm')[0] === 0;
    case 'Concat':
    case 'Softmax':
    case 'Flatten':
      return intAttribute(node, 'axis', 1) !== 0;
    case 'Slice': {
      const axes = graph.initializers.get(node.inputs[3] ?? '');
      return axes !== undefined && elementsOf(axes, 'int64').every((axis) => axis !== 0n);
    }
    default:
      return true;
  }
}
