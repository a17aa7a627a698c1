import { GraphBuilder, type Value } from '../../onnx/builder.js';
import type { Graph, Node } from '../../onnx/graph.js';
import { lower } from '../../training/autodiff.js';
import { GraphSession } from '../../training/graph-session.js';
import { floatsOf } from '../../training/parameters.js';
import { type Activations, imagesOf, standardModel } from './network-runner.js';

/** Runs a network with the weights of one layer at a time replaced: weights are inputs of one session. */
export class SensitivityProbe {
  private readonly session: GraphSession;
  private readonly weights: Readonly<Record<string, Float32Array>>;
  private readonly images: Activations;
  private readonly batch: number;
  private readonly input: string;
  private readonly exact: Float32Array[] = [];

  private constructor(
    session: GraphSession,
    weights: Record<string, Float32Array>,
    images: Activations,
    batch: number,
    input: string,
  ) {
    this.session = session;
    this.weights = weights;
    this.images = images;
    this.batch = batch;
    this.input = input;
  }

  /** @param images a whole number of batches */
  static async create(
    graph: Graph,
    layers: readonly Node[],
    images: Activations,
    { batch, threads }: { readonly batch: number; readonly threads: number },
  ): Promise<SensitivityProbe> {
    const [{ name: input }] = graph.inputs;
    const b = new GraphBuilder('sensitivity');
    const bindings = new Map([[input, b.input(input, [batch, ...images.shape])]]);
    const weights: Record<string, Float32Array> = {};
    for (const {
      inputs: [, name],
    } of layers) {
      bindings.set(name, b.input(name, graph.initializers.get(name)?.shape ?? []));
      weights[name] = floatsOf(graph, name);
    }
    const { values } = lower(b, graph, bindings, new Set(), false);
    b.output('output', values.get(graph.outputs[0].name) as Value);
    const session = await GraphSession.create(standardModel(b.graph), threads);
    const probe = new SensitivityProbe(session, weights, images, batch, input);
    for (let from = 0; from < images.count; from += batch) probe.exact.push(await probe.run(from));
    return probe;
  }

  /** Squared error over squared signal of the network's output when one layer has other weights. */
  async errorWith(weight: string, values: Float32Array): Promise<number> {
    let [error, energy] = [0, 0];
    for (const [i, exact] of this.exact.entries()) {
      const output = await this.run(i * this.batch, { [weight]: values });
      exact.forEach((v, at) => {
        error += (output[at] - v) ** 2;
        energy += v ** 2;
      });
    }
    return error / Math.max(energy, Number.MIN_VALUE);
  }

  release(): Promise<void> {
    return this.session.release();
  }

  private async run(from: number, changed: Record<string, Float32Array> = {}) {
    const images = imagesOf(this.images, from, this.batch);
    const feeds = { ...this.weights, ...changed, [this.input]: images };
    return (await this.session.run(feeds)).output;
  }
}
