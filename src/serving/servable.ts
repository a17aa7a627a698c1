import { type BatchedReply, type Caller, DynamicBatcher } from '../batching/dynamic-batcher.js';
import type { BatchingPolicy } from '../batching/policy.js';
import { decodePixels, type ImageLimits } from '../image/decode.js';
import { type PixelPacker, pixelPacker } from '../image/normalize.js';
import type { Metrics, ModelLabels } from '../observability/metrics.js';
import { pictureShape } from '../repository/model-config.js';
import type { ModelDefinition } from '../repository/repository.js';
import type { ModelSession, Tensor, TensorSpec } from '../runtime/session.js';
import type { ModelContract } from './infer-request.js';
import { mergeRequests, type NamedTensors, rowCount, splitReplies } from './tensor-batch.js';
import { allocate, elementCount } from './tensor-bytes.js';

export interface ServableOptions {
  readonly batching: Omit<BatchingPolicy, 'maxBatchSize'>;
  readonly imageLimits: ImageLimits;
  readonly metrics: Metrics;
}

/** One loaded version of a model: its session behind a batcher, and what turns pictures into its input. */
export class Servable implements ModelContract {
  readonly definition: ModelDefinition;
  readonly labels: ModelLabels;
  /** The input that takes pictures, and the only one. */
  readonly imageInput: TensorSpec;
  readonly #session: ModelSession;
  readonly #batcher: DynamicBatcher<NamedTensors, NamedTensors>;
  readonly #imageLimits: ImageLimits;
  readonly #metrics: Metrics;
  readonly #pack: PixelPacker;

  /** `session` must have passed `checkSession` for this definition. */
  constructor(definition: ModelDefinition, session: ModelSession, options: ServableOptions) {
    const { name, version, config } = definition;
    this.definition = definition;
    this.labels = { model: name, version };
    const [batch] = session.inputs[0].shape;
    this.imageInput = { ...session.inputs[0], shape: [batch, ...pictureShape(config.input)] };
    this.#session = session;
    this.#imageLimits = options.imageLimits;
    this.#metrics = options.metrics;
    this.#pack = pixelPacker({
      layout: config.input.layout,
      normalization: config.input.normalization,
    });
    this.#batcher = new DynamicBatcher(
      { ...options.batching, ...config.batching, maxBatchSize: config.maxBatchSize },
      {
        size: rowCount,
        run: (requests) => this.#runBatch(requests),
        onBatch: (size, reason) => this.#metrics.batch(this.labels, size, reason),
      },
    );
    this.#metrics.watchQueue(this.labels, () => this.#batcher.depth);
  }

  get name(): string {
    return this.definition.name;
  }

  /** As the config has them: a graph that is free in the size of its pictures is served at one size. */
  get inputs(): readonly TensorSpec[] {
    return [this.imageInput];
  }

  get outputs(): readonly TensorSpec[] {
    return this.#session.outputs;
  }

  get maxBatchSize(): number {
    return this.definition.config.maxBatchSize;
  }

  /** Decodes encoded pictures, `images.length` >= 1, into the tensor of the image input. */
  async imageTensor(images: readonly Uint8Array[]): Promise<Tensor> {
    const { input } = this.definition.config;
    const pictures = await Promise.all(
      images.map((image) => decodePixels(image, input, this.#imageLimits)),
    );
    return {
      datatype: this.imageInput.datatype,
      shape: [images.length, ...pictureShape(input)],
      data: this.#pack(pictures),
    };
  }

  /**
   * Prepares a request, runs it in a batch with others and resolves to all outputs, its own rows only.
   *
   * Rejects as `prepare`, the batcher and the session do.
   */
  async run(prepare: () => Promise<NamedTensors>, caller: Caller): Promise<NamedTensors> {
    let preprocessMs = 0;
    const reply = await this.#batcher.submit(async () => {
      const start = performance.now();
      const tensors = await prepare();
      preprocessMs = performance.now() - start;
      return tensors;
    }, caller);
    this.#observe(preprocessMs, reply);
    return reply.output;
  }

  /** Runs zeros through the session, one row and a full batch, so that no caller pays for what happens only once. */
  async warmUp(): Promise<void> {
    for (const rows of new Set([1, this.maxBatchSize])) {
      await this.#session.run({ [this.imageInput.name]: this.#zeros(rows) });
    }
  }

  /** Finishes what was accepted, then frees the session. */
  async close(): Promise<void> {
    await this.#batcher.drain();
    await this.#session.dispose();
  }

  #zeros(rows: number): Tensor {
    const { datatype } = this.imageInput;
    const shape = [rows, ...pictureShape(this.definition.config.input)];
    return { datatype, shape, data: allocate(datatype, elementCount(shape)) };
  }

  async #runBatch(requests: readonly NamedTensors[]): Promise<NamedTensors[]> {
    const outputs = await this.#session.run(mergeRequests(requests));
    return splitReplies(outputs, requests.map(rowCount));
  }

  #observe(preprocessMs: number, { queueMs, runMs }: BatchedReply<NamedTensors>): void {
    this.#metrics.phase(this.labels, 'preprocess', preprocessMs);
    this.#metrics.phase(this.labels, 'queue', queueMs);
    this.#metrics.phase(this.labels, 'infer', runMs);
  }
}
