import type { Pass } from './pass.js';

const NO_OPS = ['Identity', 'Dropout'];

/**
 * Drops Identity and Dropout (which does nothing outside of training), and constants that nothing reads. One that makes
 * a graph output stays, since outputs keep their names; so does a Dropout whose mask is read.
 */
export const dropNoOps: Pass = (graph) => {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const read = new Set([...outputs, ...graph.nodes.flatMap((node) => node.inputs)]);
  const sources = new Map<string, string>();
  const source = (name: string) => sources.get(name) ?? name;
  const nodes = graph.nodes.flatMap((node) => {
    const renamed = { ...node, inputs: node.inputs.map(source) };
    const [output, mask] = node.outputs;
    const idle = NO_OPS.includes(node.opType) && node.domain === '';
    if (!idle || outputs.has(output) || (mask && read.has(mask))) return [renamed];
    sources.set(output, renamed.inputs[0]);
    return [];
  });
  const used = new Set([...outputs, ...nodes.flatMap((node) => node.inputs)]);
  const initializers = new Map([...graph.initializers].filter(([name]) => used.has(name)));
  return { ...graph, nodes, initializers };
};
