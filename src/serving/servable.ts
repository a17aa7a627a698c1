import {
  type BatchedReply,
  type BatchingPolicy,
  type Caller,
  DynamicBatcher,
} from '../batching/dynamic-batcher.js';
import { decodePixels, type ImageLimits } from '../image/decode.js';
import { type PixelPacker, pixelPacker } from '../image/normalize.js';
import type { Metrics, ModelLabels } from '../observability/metrics.js';
import type { ModelDefinition } from '../repository/repository.js';
import type { ModelSession, Tensor, TensorSpec } from '../runtime/session.js';
import type { ModelContract } from './infer-request.js';
import {
  mergeRequests,
  type NamedTensors,
  rowCount,
  sameRows,
  splitReplies,
} from './tensor-batch.js';
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
    this.#session = session;
    this.#imageLimits = options.imageLimits;
    this.#metrics = options.metrics;
    this.#pack = pixelPacker({
      layout: config.input.layout,
      normalization: config.input.normalization,
    });
    const overrides = Object.entries(config.batching).filter(([, value]) => value !== undefined);
    this.#batcher = new DynamicBatcher(
      { ...options.batching, ...Object.fromEntries(overrides), maxBatchSize: config.maxBatchSize },
      {
        size: rowCount,
        compatible: sameRows,
        run: (requests) => this.#runBatch(requests),
        onBatch: (size, reason) => this.#metrics.batch(this.labels, size, reason),
      },
    );
    this.#metrics.watchQueue(this.labels, () => this.#batcher.depth);
  }

  get name(): string {
    return this.definition.name;
  }

  get inputs(): readonly TensorSpec[] {
    return this.#session.inputs;
  }

  get outputs(): readonly TensorSpec[] {
    return this.#session.outputs;
  }

  get maxBatchSize(): number {
    return this.definition.config.maxBatchSize;
  }

  /** The graph input that takes pictures. */
  get imageInput(): TensorSpec {
    const { name } = this.definition.config.input;
    return this.inputs.find((spec) => spec.name === name) as TensorSpec;
  }

  /** Decodes encoded pictures, `images.length` >= 1, into the tensor of the image input. */
  async imageTensor(images: readonly Uint8Array[]): Promise<Tensor> {
    const { layout, width, height } = this.definition.config.input;
    const pictures = await Promise.all(
      images.map((image) => decodePixels(image, this.definition.config.input, this.#imageLimits)),
    );
    const size = layout === 'NHWC' ? [height, width, 3] : [3, height, width];
    return {
      datatype: this.imageInput.datatype,
      shape: [images.length, ...size],
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
    const { layout, width, height } = this.definition.config.input;
    const shape = layout === 'NHWC' ? [rows, height, width, 3] : [rows, 3, height, width];
    const { datatype } = this.imageInput;
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
