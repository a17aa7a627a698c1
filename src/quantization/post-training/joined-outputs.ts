import { tensorOf } from '../../onnx/elements.js';
import type { Graph, Node } from '../../onnx/graph.js';

const JOINED = 'joined_outputs';

/**
 * A graph of several outputs with one that holds them all, [N, elements]: the last block of a network ends in one value,
 * and its error is that of every output.
 */
export function joinOutputs(graph: Graph): Graph {
  if (graph.outputs.length === 1) return graph;
  const shape = `${JOINED}.shape`;
  const node = (opType: string, inputs: string[], name: string, axis?: number): Node => {
    const attributes = axis === undefined ? {} : { axis: { int: axis } };
    return { name, opType, domain: '', inputs, outputs: [name], attributes };
  };
  const flat = graph.outputs.map(({ name }, i) => {
    return node('Reshape', [name, shape], `${JOINED}.${i}`);
  });
  const parts = flat.map(({ name }) => name);
  return {
    ...graph,
    nodes: [...graph.nodes, ...flat, node('Concat', parts, JOINED, 1)],
    initializers: new Map([
      ...graph.initializers,
      [shape, tensorOf('int64', [2], BigInt64Array.of(0n, -1n))],
    ]),
    outputs: [{ name: JOINED, type: { dtype: 'float32', shape: ['N', -1] } }],
  };
}

/** The graph without what `joinOutputs` added; other nodes may have been added since. */
export function splitOutputs(graph: Graph, { outputs }: Pick<Graph, 'outputs'>): Graph {
  const nodes = graph.nodes.filter(({ name }) => name !== JOINED && !name.startsWith(`${JOINED}.`));
  return { ...graph, nodes, outputs };
}
