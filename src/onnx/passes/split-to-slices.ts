import { LcqError } from '../../errors.js';
import { intAttribute } from '../attributes.js';
import { elementsOf, tensorOf } from '../elements.js';
import type { Graph, Node, TensorData } from '../graph.js';
import { type Pass, rewrite } from './pass.js';

/** Replaces a Split with constant sizes by one Slice for each part, so that every node has one output. */
export const splitToSlices: Pass = (graph) => {
  const replacements = new Map<Node, Node[]>();
  const constants = new Map<string, TensorData>();
  for (const node of graph.nodes) {
    if (node.opType !== 'Split' || node.domain !== '') continue;
    const counts = sizesOf(graph, node);
    const axis = intAttribute(node, 'axis', 0);
    const parts = node.outputs.map((output, i) => {
      const start = counts.slice(0, i).reduce((a, b) => a + b, 0);
      const bounds = { starts: start, ends: start + counts[i], axes: axis };
      const inputs = Object.entries(bounds).map(([key, value]) => {
        constants.set(`${output}.${key}`, tensorOf('int64', [1], BigInt64Array.of(BigInt(value))));
        return `${output}.${key}`;
      });
      return {
        name: output,
        opType: 'Slice',
        domain: '',
        inputs: [node.inputs[0], ...inputs],
        outputs: [output],
        attributes: {},
      };
    });
    replacements.set(node, parts);
  }
  return rewrite(graph, replacements, constants);
};

/** An input, or before opset 13 an attribute. */
function sizesOf(graph: Graph, node: Node): readonly number[] {
  const { split } = node.attributes;
  if (split && 'ints' in split) return split.ints;
  const sizes = graph.initializers.get(node.inputs[1] ?? '');
  if (sizes) return Array.from(elementsOf(sizes, 'int64'), Number);
  throw new LcqError('UNSUPPORTED', `node '${node.name}' (Split): its sizes must be constant`);
}
