import * as ort from 'onnxruntime-node';
import type { Model } from '../onnx/graph.js';
import { encodeModel } from '../onnx/serde.js';

/** Runs a model of float32 inputs and outputs whose sizes are all known. */
export class GraphSession {
  private readonly session: ort.InferenceSession;
  private readonly shapes: ReadonlyMap<string, readonly number[]>;

  private constructor(session: ort.InferenceSession, model: Model) {
    this.session = session;
    this.shapes = new Map(
      model.graph.inputs.map(({ name, type }) => [name, type.shape as readonly number[]]),
    );
  }

  static async create(model: Model, threads: number): Promise<GraphSession> {
    const session = await ort.InferenceSession.create(encodeModel(model), {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // A planned arena costs memory and gains no time on these graphs.
      enableMemPattern: false,
    });
    return new GraphSession(session, model);
  }

  /** @returns every output by name */
  async run(feeds: Readonly<Record<string, Float32Array>>): Promise<Record<string, Float32Array>> {
    const tensors = Object.fromEntries(
      // An input that nothing reads is dropped by the runtime, which then refuses to be fed.
      this.session.inputNames.map((name) => {
        const shape = this.shapes.get(name) as readonly number[];
        return [name, new ort.Tensor('float32', feeds[name], shape)];
      }),
    );
    const results = await this.session.run(tensors);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]),
    );
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
