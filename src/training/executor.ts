import * as ort from 'onnxruntime-node';
import type { Graph, Model } from '../onnx/graph.js';
import { encodeModel } from '../onnx/serde.js';
import { type Images, pixelsOf } from './images.js';
import { buildForwardGraph, momentumOf, nextOf, type StepGraph } from './step-graph.js';
import type { Batch } from './tasks/task.js';

export interface StepResult {
  readonly loss: number;
  /** What the network made of the batch. */
  readonly output: Float32Array;
}

function createSession(model: Model, threads: number): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(encodeModel(model), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // A planned arena costs memory and gains no time on these graphs.
    enableMemPattern: false,
  });
}

const floatTensor = (data: Float32Array, shape: readonly number[]) =>
  new ort.Tensor('float32', data, shape);

/** Runs a step graph again and again; parameters and momenta live here between steps. */
export class StepExecutor {
  private readonly feeds: Record<string, ort.Tensor> = {};
  private readonly session: ort.InferenceSession;
  private readonly graph: StepGraph;
  private readonly imageName: string;
  private readonly imageShape: readonly number[];
  private readonly targetShape: readonly number[];

  private constructor(session: ort.InferenceSession, graph: StepGraph) {
    this.session = session;
    this.graph = graph;
    const [image, target] = graph.model.graph.inputs;
    this.imageName = image.name;
    this.imageShape = image.type.shape as number[];
    this.targetShape = target.type.shape as number[];
  }

  /** @param state values of all parameters, and of momenta where a run is resumed (zero otherwise) */
  static async create(
    graph: StepGraph,
    state: ReadonlyMap<string, Float32Array>,
    threads: number,
  ): Promise<StepExecutor> {
    const executor = new StepExecutor(await createSession(graph.model, threads), graph);
    for (const { name, shape } of graph.parameters) {
      executor.feeds[name] = floatTensor(state.get(name) as Float32Array, shape);
    }
    const shapes = new Map(graph.parameters.map((p) => [p.name, p.shape]));
    for (const name of graph.trained) {
      const key = momentumOf(name);
      const shape = shapes.get(name) as readonly number[];
      const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
      executor.feeds[key] = floatTensor(state.get(key) ?? zeros, shape);
    }
    return executor;
  }

  async step({ pixels, target }: Batch, rate: number): Promise<StepResult> {
    this.feeds[this.imageName] = new ort.Tensor('uint8', pixels, this.imageShape);
    this.feeds.target = floatTensor(target, this.targetShape);
    this.feeds.rate = floatTensor(Float32Array.of(rate), []);
    const results = await this.session.run(this.feeds);
    for (const name of Object.keys(this.feeds)) {
      const next = results[nextOf(name)];
      if (next) this.feeds[name] = next as ort.Tensor;
    }
    return {
      loss: (results.loss.data as Float32Array)[0],
      output: results.output.data as Float32Array,
    };
  }

  /** Copies of all parameters and momenta by name. */
  state(): Map<string, Float32Array> {
    const names = [
      ...this.graph.parameters.map((p) => p.name),
      ...this.graph.trained.map(momentumOf),
    ];
    return new Map(names.map((n) => [n, Float32Array.from(this.feeds[n].data as Float32Array)]));
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** Runs a forward graph of a fixed batch. */
export class ForwardExecutor {
  private readonly session: ort.InferenceSession;
  private readonly name: string;
  private readonly shape: readonly number[];

  private constructor(session: ort.InferenceSession, model: Model) {
    const image = model.graph.inputs[0];
    this.session = session;
    this.name = image.name;
    this.shape = image.type.shape as number[];
  }

  static async create(model: Model, threads: number): Promise<ForwardExecutor> {
    return new ForwardExecutor(await createSession(model, threads), model);
  }

  /** @returns every output of the graph by name; `pixels` fills the graph's batch exactly */
  async run(pixels: Uint8Array): Promise<Record<string, Float32Array>> {
    const results = await this.session.run({
      [this.name]: new ort.Tensor('uint8', pixels, this.shape),
    });
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]),
    );
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** The output of a forward graph for each image, in their order. */
export async function* outputsOf(
  graph: Graph,
  images: Images,
  batch: number,
  threads: number,
): AsyncGenerator<Float32Array> {
  const shape = [batch, images.height, images.width, 3];
  const executor = await ForwardExecutor.create(buildForwardGraph(graph, shape), threads);
  try {
    for (let from = 0; from < images.count; from += batch) {
      const size = Math.min(batch, images.count - from);
      // The last batch is filled up with its first image.
      const indices = Array.from({ length: batch }, (_, i) => (i < size ? from + i : from));
      const { output } = await executor.run(pixelsOf(images, indices));
      const length = output.length / batch;
      for (let i = 0; i < size; i++) yield output.subarray(i * length, (i + 1) * length);
    }
  } finally {
    await executor.release();
  }
}
