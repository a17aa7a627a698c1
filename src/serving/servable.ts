import { type BatchedReply, DynamicBatcher } from '../batching/dynamic-batcher.js';
import type { BatchingPolicy } from '../batching/policy.js';
import { decodePicture, decodePixels, type ImageLimits } from '../image/decode.js';
import type { Size } from '../image/letterbox.js';
import { type PixelPacker, pixelPacker } from '../image/normalize.js';
import type { Metrics, ModelLabels } from '../observability/metrics.js';
import { pictureShape } from '../repository/model-config.js';
import type { ModelDefinition } from '../repository/repository.js';
import type { LcqLayer, ModelSession, Tensor, TensorSpec } from '../runtime/session.js';
import type { DetectionDecoder } from '../vision/detection.js';
import { detectionDecoder } from '../vision/detector.js';
import type { Caller } from './caller.js';
import type { ModelContract } from './infer-request.js';
import { ModelStatistics } from './statistics.js';
import { mergeRequests, type NamedTensors, rowCount, splitReplies } from './tensor-batch.js';

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
  /** Of a detection model. */
  readonly decoder: DetectionDecoder | undefined;
  readonly policy: BatchingPolicy;
  readonly statistics = new ModelStatistics();
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
    this.decoder =
      config.task === 'detection'
        ? detectionDecoder(config.output, config.input, session.outputs)
        : undefined;
    this.#session = session;
    this.#imageLimits = options.imageLimits;
    this.#metrics = options.metrics;
    this.#pack = pixelPacker(config.input);
    this.policy = batchingPolicy(options.batching, config);
    this.#batcher = new DynamicBatcher(this.policy, {
      size: rowCount,
      run: (requests) => this.#runBatch(requests),
      onBatch: (size, reason) => this.#metrics.batch(this.labels, size, reason),
    });
    this.#metrics.watchQueue(this.labels, () => this.#batcher.depth);
  }

  /** Whether its session takes runs: not while its worker restarts, nor when it could not be opened again there. */
  get isOpen(): boolean {
    return this.#session.isOpen?.() ?? true;
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

  /** The quantized layers; none of a standard model. */
  get layers(): readonly LcqLayer[] {
    return this.#session.layers ?? [];
  }

  /** Class labels of an output, by index; none where the config gives none. */
  classLabels(output: string): readonly string[] {
    const { config, labels } = this.definition;
    return config.task === 'classification' && config.output.name === output ? labels : [];
  }

  get maxBatchSize(): number {
    return this.definition.config.maxBatchSize;
  }

  /** Decodes encoded pictures, `images.length` >= 1, into the tensor of the image input. */
  async imageTensor(images: readonly Uint8Array[]): Promise<Tensor> {
    const { input } = this.definition.config;
    const decode = (image: Uint8Array) => decodePixels(image, input, this.#imageLimits);
    return this.#tensorOf(await Promise.all(images.map(decode)));
  }

  /** Decodes one encoded picture and runs it. Resolves to the outputs. */
  runPicture(image: Uint8Array, caller: Caller): Promise<NamedTensors> {
    const prepare = async () => ({ [this.imageInput.name]: await this.imageTensor([image]) });
    return this.run(prepare, caller);
  }

  /** The same; resolves to the outputs and to the size that the picture came in. */
  async runSizedPicture(
    image: Uint8Array,
    caller: Caller,
  ): Promise<{ outputs: NamedTensors; original: Size }> {
    let original = { width: 0, height: 0 };
    const prepare = async () => {
      const { input } = this.definition.config;
      const picture = await decodePicture(image, input, this.#imageLimits);
      original = picture.original;
      return { [this.imageInput.name]: this.#tensorOf([picture.pixels]) };
    };
    const outputs = await this.run(prepare, caller);
    return { outputs, original };
  }

  /** Throws RESOURCE_EXHAUSTED or UNAVAILABLE if `run` would, so that nothing is spent on a request in vain. */
  refuseIfFull(): void {
    try {
      this.#batcher.refuseIfFull();
    } catch (error) {
      this.statistics.arrived();
      this.statistics.failed(0);
      throw error;
    }
  }

  /**
   * Prepares a request, runs it in a batch with others and resolves to all outputs, its own rows only.
   *
   * Rejects as `prepare`, the batcher and the session do.
   */
  async run(prepare: () => Promise<NamedTensors>, caller: Caller): Promise<NamedTensors> {
    const arrivedAt = performance.now();
    let preprocessMs = 0;
    this.statistics.arrived();
    try {
      const reply = await this.#batcher.submit(async () => {
        const start = performance.now();
        const tensors = await prepare();
        preprocessMs = performance.now() - start;
        return tensors;
      }, caller);
      this.#observe(performance.now() - arrivedAt, preprocessMs, reply);
      caller.timing?.ran(reply.queueMs, preprocessMs, reply.runMs, reply.batchSize);
      return reply.output;
    } catch (error) {
      this.statistics.failed(performance.now() - arrivedAt);
      throw error;
    }
  }

  /** Turns outputs into an answer, and observes how long that took. */
  postprocess<T>(work: () => T, { timing }: Caller): T {
    const start = performance.now();
    const answer = work();
    const ms = performance.now() - start;
    this.statistics.postprocessed(ms);
    this.#metrics.phase(this.labels, 'postprocess', ms);
    timing?.postprocessed(ms);
    return answer;
  }

  /** Finishes what was accepted, then frees the session. */
  async close(): Promise<void> {
    await this.#batcher.drain();
    this.#metrics.forgetQueue(this.labels);
    await this.#session.dispose();
  }

  #tensorOf(pictures: readonly Uint8Array[]): Tensor {
    return {
      datatype: this.imageInput.datatype,
      shape: [pictures.length, ...pictureShape(this.definition.config.input)],
      data: this.#pack(pictures),
    };
  }

  async #runBatch(requests: readonly NamedTensors[]): Promise<NamedTensors[]> {
    const start = performance.now();
    const rows = requests.map(rowCount);
    const inputs = mergeRequests(requests);
    const ran = performance.now();
    const outputs = await this.#session.run(inputs);
    const end = performance.now();
    const replies = splitReplies(outputs, rows);
    const times = { input: ran - start, infer: end - ran, output: performance.now() - end };
    this.statistics.ran(sum(rows), times);
    return replies;
  }

  #observe(
    total: number,
    preprocessMs: number,
    { queueMs, runMs }: BatchedReply<NamedTensors>,
  ): void {
    this.statistics.succeeded({ total, queue: queueMs, input: preprocessMs, infer: runMs });
    this.#metrics.phase(this.labels, 'preprocess', preprocessMs);
    this.#metrics.phase(this.labels, 'queue', queueMs);
    this.#metrics.phase(this.labels, 'infer', runMs);
  }
}

/** The model's own settings over the server's. */
function batchingPolicy(
  defaults: ServableOptions['batching'],
  { batching, instances, maxBatchSize }: ModelDefinition['config'],
): BatchingPolicy {
  const policy = { ...defaults, ...batching, maxBatchSize };
  return { ...policy, maxBatchesInFlight: policy.maxBatchesInFlight * instances };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
