import { LcqError } from '../errors.js';
import type { Graph, Node } from '../onnx/graph.js';

/** Who makes and who reads each value of a graph. */
export class Topology {
  readonly graph: Graph;
  private readonly producers = new Map<string, Node>();
  private readonly readersOf = new Map<string, Node[]>();

  constructor(graph: Graph) {
    this.graph = graph;
    for (const node of graph.nodes) {
      for (const output of node.outputs) this.producers.set(output, node);
      for (const input of node.inputs) {
        const readers = this.readersOf.get(input) ?? [];
        readers.push(node);
        this.readersOf.set(input, readers);
      }
    }
  }

  producer(value: string): Node | undefined {
    return this.producers.get(value);
  }

  readers(value: string): readonly Node[] {
    return this.readersOf.get(value) ?? [];
  }

  isOutput(value: string): boolean {
    return this.graph.outputs.some(({ name }) => name === value);
  }

  /** The only reader of `value` if it is a `opType`. */
  soleReader(value: string, opType: string): Node | undefined {
    const readers = this.readers(value);
    return readers.length === 1 && readers[0].opType === opType ? readers[0] : undefined;
  }

  /** The node that makes `value`, which must be a `opType`. Throws UNSUPPORTED naming the reader otherwise. */
  expect(value: string, opType: string, reader: Node): Node {
    const node = this.producers.get(value);
    if (node?.opType === opType) return node;
    throw unsupported(reader, `its input '${value}' must come from a ${opType}`);
  }

  /** The only reader of `value`, which must be a `opType`. Throws UNSUPPORTED naming the producer otherwise. */
  expectReader(value: string, opType: string, producer: Node): Node {
    const reader = this.soleReader(value, opType);
    if (reader) return reader;
    throw unsupported(producer, `its output must be read by one ${opType}`);
  }
}

export function unsupported(node: Node, why: string): LcqError {
  return new LcqError(
    'UNSUPPORTED',
    `node '${node.name}' (${node.opType}) cannot be exported: ${why}`,
  );
}
