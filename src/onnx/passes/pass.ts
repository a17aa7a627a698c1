import type { Graph, Node, TensorData } from '../graph.js';

/**
 * A graph in, an equal graph out: one rewrite that gives every output the same value for every input (but for rounding
 * where a docstring says so). Passes share memory with the old graph and leave it as it was.
 */
export type Pass = (graph: Graph) => Graph;

/** Nodes that read each value. */
export function readersOf(graph: Graph): (value: string) => readonly Node[] {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const list = readers.get(input);
      if (list) list.push(node);
      else readers.set(input, [node]);
    }
  }
  return (value) => readers.get(value) ?? [];
}

/**
 * The only reader of a value if it is a standard `opType` that reads it first and nothing else needs the value.
 */
export function soleReader(graph: Graph): (value: string, opType: string) => Node | undefined {
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return (value, opType) => {
    const [reader, ...others] = readers(value);
    const fits = reader?.opType === opType && reader.domain === '' && reader.inputs[0] === value;
    return fits && others.length === 0 && !outputs.has(value) ? reader : undefined;
  };
}

/** A graph with some nodes replaced by any number of others, and new constants. */
export function rewrite(
  graph: Graph,
  replacements: ReadonlyMap<Node, readonly Node[]>,
  constants: Iterable<readonly [string, TensorData]> = [],
): Graph {
  return {
    ...graph,
    nodes: graph.nodes.flatMap((node) => replacements.get(node) ?? [node]),
    initializers: new Map([...graph.initializers, ...constants]),
  };
}
