import { LcqError } from '../errors.js';
import type { Drawing } from '../image/draw-boxes.js';
import { type ModelLabels, UNKNOWN_MODEL } from '../observability/metrics.js';
import type { ModelRegistry } from '../repository/registry.js';
import type { Tensor, TensorSpec } from '../runtime/session.js';
import type { Caller } from './caller.js';
import { classStrings } from './class-strings.js';
import { type Classification, type ClassifyRequest, classifyPicture } from './classification.js';
import {
  type DetectionReply,
  type DetectRequest,
  detectInPicture,
  drawDetections,
} from './detection.js';
import {
  checkBatchSizes,
  checkInputNames,
  checkShape,
  type InferInput,
  inputTensor,
  type RequestedOutput,
  requestedOutputs,
} from './infer-request.js';
import { type ModelConfiguration, modelConfiguration } from './model-configuration.js';
import {
  describeModel,
  type ModelDescription,
  type ModelOverview,
  modelOverview,
} from './model-description.js';
import type { ModelReference } from './model-reference.js';
import type { Servable } from './servable.js';
import type { ModelStatisticsReply } from './statistics.js';
import type { NamedTensors } from './tensor-batch.js';
import { decodeByteStrings } from './tensor-bytes.js';

export type { Caller };

export interface InferRequest extends ModelReference {
  readonly inputs: readonly InferInput[];
  /** Absent or empty: all. */
  readonly outputs?: readonly RequestedOutput[] | undefined;
}

export interface InferReply {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly { readonly name: string; readonly tensor: Tensor }[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** From its start to its end. */
export type ServerPhase = 'starting' | 'ready' | 'draining';
/** `recovering`: a required model that was loaded does not answer, because its worker restarts or cannot open it again. */
export type ServerState = ServerPhase | 'recovering';

/** The server without its transports: both call this and only translate. Every rejection is an LcqError. */
export class InferenceService {
  phase: ServerPhase = 'starting';
  readonly serverMetadata: ServerMetadata;
  readonly #registry: ModelRegistry<Servable>;
  readonly #idleListeners: (() => void)[] = [];
  #inFlight = 0;

  constructor(registry: ModelRegistry<Servable>, serverVersion: string) {
    this.#registry = registry;
    this.serverMetadata = {
      name: 'lcq-serving',
      version: serverVersion,
      extensions: [
        'classification',
        'model_repository',
        'schedule_policy',
        'model_configuration',
        'binary_tensor_data',
        'statistics',
      ],
    };
  }

  /** Readiness for both transports; only `ready` counts as ready. */
  get state(): ServerState {
    const isLost = (servable: Servable) => servable.definition.config.required && !servable.isOpen;
    const isRecovering = this.phase === 'ready' && this.#readyServables({}).some(isLost);
    return isRecovering ? 'recovering' : this.phase;
  }

  /** Throws what an inference request would be refused with for want of room, before its body is read or decoded. */
  refuseIfFull({ model, version }: ModelReference): void {
    this.#registry.find(model, version)?.servable?.refuseIfFull();
  }

  /** Labels and scores of one picture. */
  classify(request: ClassifyRequest, caller: Caller): Promise<Classification> {
    return this.#counted(async () => classifyPicture(this.#servable(request), request, caller));
  }

  /** The objects in one picture. */
  detect(request: DetectRequest, caller: Caller): Promise<DetectionReply> {
    return this.#counted(async () => detectInPicture(this.#servable(request), request, caller));
  }

  /** The picture with the objects' boxes drawn on it. */
  renderDetections(request: DetectRequest, caller: Caller): Promise<Drawing> {
    return this.#counted(async () => {
      const reply = await detectInPicture(this.#servable(request), request, caller);
      return drawDetections(request.image, reply);
    });
  }

  /** Tensors in, tensors out: the Open Inference Protocol's infer. Encoded pictures may stand for the image input. */
  infer(request: InferRequest, caller: Caller): Promise<InferReply> {
    return this.#counted(() => this.#infer(request, caller));
  }

  /** Throws NOT_FOUND or UNAVAILABLE. */
  modelMetadata({ model, version }: ModelReference): ModelMetadata {
    const { name, inputs, outputs } = this.#registry.get(model, version);
    const ready = this.#registry.versions(name).filter(({ state }) => state === 'READY');
    const versions = ready.map((entry) => entry.version);
    return { name, versions, platform: 'onnxruntime_onnx', inputs, outputs };
  }

  /** Throws NOT_FOUND or UNAVAILABLE. */
  modelConfiguration({ model, version }: ModelReference): ModelConfiguration {
    return modelConfiguration(this.#registry.get(model, version));
  }

  /** The versions that are ready, by name, then ascending. */
  models(): ModelOverview[] {
    return this.#readyServables({}).map(modelOverview);
  }

  /** Throws NOT_FOUND or UNAVAILABLE. */
  describeModel({ model, version }: ModelReference): ModelDescription {
    return describeModel(this.#registry.get(model, version));
  }

  /**
   * What the versions that are ready have done: of one model, of one version of it, or of all without a model.
   *
   * Throws NOT_FOUND or UNAVAILABLE.
   */
  modelStatistics(reference: Partial<ModelReference>): ModelStatisticsReply[] {
    return this.#readyServables(reference).map(({ statistics, labels }) =>
      statistics.reply(labels),
    );
  }

  /** Throws NOT_FOUND; a known model that is loading, failed, unloaded or not open in its worker is not ready. */
  isModelReady({ model, version }: ModelReference): boolean {
    const { servable } = this.#registry.lookup(model, version);
    return servable?.isOpen === true && this.phase === 'ready';
  }

  /** Metric labels of a request, whatever it names. */
  labelsOf({ model, version }: ModelReference): ModelLabels {
    const known = this.#registry.find(model, version);
    return known ? { model: known.name, version: known.version } : UNKNOWN_MODEL;
  }

  /** Inference requests that have not been answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Resolves once nothing is in flight. */
  async idle(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => this.#idleListeners.push(resolve));
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#inFlight += 1;
    try {
      return await work();
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) for (const listener of this.#idleListeners.splice(0)) listener();
    }
  }

  #servable({ model, version }: ModelReference): Servable {
    return this.#registry.get(model, version);
  }

  async #infer(request: InferRequest, caller: Caller): Promise<InferReply> {
    const servable = this.#servable(request);
    checkInputNames(request.inputs, servable);
    const wanted = requestedOutputs(request.outputs, servable);
    const outputs = await servable.run(() => inputTensors(request.inputs, servable), caller);
    return servable.postprocess(
      () => ({
        ...servable.labels,
        outputs: wanted.map(({ name, classes }) => {
          const tensor = outputs[name];
          if (classes === undefined) return { name, tensor };
          return { name, tensor: classStrings(name, tensor, classes, servable.classLabels(name)) };
        }),
      }),
      caller,
    );
  }

  #readyServables({ model, version }: Partial<ModelReference>): Servable[] {
    if (model && version) return [this.#registry.get(model, version)];
    // Throws when there is none.
    if (model) this.#registry.get(model);
    const entries = model ? this.#registry.versions(model) : this.#registry.all();
    return entries.flatMap(({ servable }) => (servable === undefined ? [] : [servable]));
  }
}

async function inputTensors(
  inputs: readonly InferInput[],
  servable: Servable,
): Promise<NamedTensors> {
  const tensors: Record<string, Tensor> = {};
  for (const input of inputs) tensors[input.name] = await toTensor(input, servable);
  checkBatchSizes(tensors, servable);
  return tensors;
}

/** OpenVINO Model Server's habit: BYTES `[N]` in place of the image input are N encoded pictures. */
async function toTensor(input: InferInput, servable: Servable): Promise<Tensor> {
  const spec = servable.inputs.find(({ name }) => name === input.name) as TensorSpec;
  if (input.datatype !== 'BYTES' || spec !== servable.imageInput) {
    return inputTensor(input, spec, servable);
  }
  checkShape(input, [-1], servable);
  const [rows] = input.shape;
  const images = decodeByteStrings(input.bytes, rows);
  if (images.length !== rows) {
    const count = images.length > rows ? `more than ${rows}` : images.length;
    const message = `input '${input.name}' has ${count} BYTES elements for shape [${rows}]`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return servable.imageTensor(images);
}
