import { tensorOf } from '../elements.js';
import type { Node, TensorData } from '../graph.js';
import { type Pass, rewrite } from './pass.js';

/** Makes an initializer of every Constant node that holds a tensor, numbers or one number. */
export const constantsToInitializers: Pass = (graph) => {
  const replacements = new Map<Node, Node[]>();
  const constants: [string, TensorData][] = [];
  for (const node of graph.nodes) {
    const tensor = node.opType === 'Constant' && node.domain === '' && constantOf(node);
    if (!tensor) continue;
    replacements.set(node, []);
    constants.push([node.outputs[0], tensor]);
  }
  return rewrite(graph, replacements, constants);
};

function constantOf({ attributes }: Node): TensorData | undefined {
  for (const value of Object.values(attributes)) {
    if ('tensor' in value) return value.tensor;
    if ('float' in value) return tensorOf('float32', [], Float32Array.of(value.float));
    if ('int' in value) return tensorOf('int64', [], BigInt64Array.of(BigInt(value.int)));
    if ('floats' in value)
      return tensorOf('float32', [value.floats.length], Float32Array.from(value.floats));
    if ('ints' in value)
      return tensorOf('int64', [value.ints.length], BigInt64Array.from(value.ints, BigInt));
  }
  return undefined;
}
