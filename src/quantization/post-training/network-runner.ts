import { GraphBuilder, type Value } from '../../onnx/builder.js';
import type { Graph, Model } from '../../onnx/graph.js';
import { lower } from '../../training/autodiff.js';
import { GraphSession } from '../../training/graph-session.js';
import { subgraph } from './blocks.js';

/** A set of values of one size, one for each image: [count, ...shape] in row-major order. */
export interface Activations {
  readonly shape: readonly number[];
  readonly count: number;
  readonly data: Float32Array;
}

export const elementsPerImage = ({ shape }: Activations): number =>
  shape.reduce((a, b) => a * b, 1);

/** Images `from` to `from + count - 1`; memory is shared. */
export function imagesOf(activations: Activations, from: number, count: number): Float32Array {
  const size = elementsPerImage(activations);
  return activations.data.subarray(from * size, (from + count) * size);
}

export function standardModel(graph: Graph): Model {
  return {
    irVersion: 8,
    producer: 'lcq-serving',
    opsets: { '': 18, 'com.microsoft': 1 },
    graph,
    functions: [],
    metadata: {},
  };
}

/** Computes some values of a graph from one other value, batch by batch. */
export class NetworkRunner {
  private readonly session: GraphSession;
  private readonly batch: number;
  private readonly from: string;
  private readonly shapes: ReadonlyMap<string, readonly number[]>;

  private constructor(
    session: GraphSession,
    batch: number,
    from: string,
    shapes: ReadonlyMap<string, readonly number[]>,
  ) {
    this.session = session;
    this.batch = batch;
    this.from = from;
    this.shapes = shapes;
  }

  /** @param shape of the value `from`, without the batch */
  static async create(
    graph: Graph,
    { name, shape }: { readonly name: string; readonly shape: readonly number[] },
    to: readonly string[],
    { batch, threads }: { readonly batch: number; readonly threads: number },
  ): Promise<NetworkRunner> {
    const b = new GraphBuilder('forward');
    const bindings = new Map([[name, b.input(name, [batch, ...shape])]]);
    const { values } = lower(b, subgraph(graph, name, to), bindings, new Set(), false);
    for (const [i, value] of to.entries()) b.output(`value${i}`, values.get(value) as Value);
    const shapes = new Map(
      to.map((value, i) => [`value${i}`, (values.get(value) as Value).shape.slice(1)]),
    );
    const session = await GraphSession.create(standardModel(b.graph), threads);
    return new NetworkRunner(session, batch, name, shapes);
  }

  /**
   * Hands over the values of every batch, in the order of `to`.
   * @param input a whole number of batches
   */
  async forEachBatch(
    input: Activations,
    visit: (values: readonly Float32Array[], from: number) => void,
  ): Promise<void> {
    for (let from = 0; from < input.count; from += this.batch) {
      const results = await this.session.run({
        [this.from]: imagesOf(input, from, this.batch),
      });
      visit(
        [...this.shapes.keys()].map((name) => results[name]),
        from,
      );
    }
  }

  /** The first of `to` for all images. */
  async run(input: Activations): Promise<Activations> {
    const shape = this.shapes.get('value0') as readonly number[];
    const size = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(input.count * size);
    await this.forEachBatch(input, ([value], from) => data.set(value, from * size));
    return { shape, count: input.count, data };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
