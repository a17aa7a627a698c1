import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type ErrorCode, LcqError } from '../errors.js';
import { bytesOfElements } from '../serving/tensor-bytes.js';
import { type Allowance, makeAttempts, type Outcome } from './attempts.js';
import type {
  CallOptions,
  Classification,
  ClassifyRequest,
  ClientOptions,
  Detections,
  DetectRequest,
  InferReply,
  InferRequest,
  LcqClient,
  ModelMetadata,
  ModelReference,
  Tensor,
} from './client.js';
import { outputTensor } from './output-tensor.js';

/** PEM contents. */
export interface TlsOptions {
  /** Authorities that the server's certificate must come from; left out: the well-known ones. */
  readonly ca?: Buffer;
  /** What the client shows of itself, with its private key. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface GrpcClientOptions extends ClientOptions {
  /** Left out: a plain connection. */
  readonly tls?: TlsOptions;
}

const INFERENCE = 'inference.GRPCInferenceService';
const VISION = 'lcq.v1.Vision';

const definition = loadSync(['open_inference.proto', 'vision.proto'], {
  includeDirs: [fileURLToPath(new URL('../../../proto/', import.meta.url))],
  keepCase: true,
  defaults: true,
  longs: Number,
});

/** The code of a status. Where two share one it is the wider: RESOURCE_EXHAUSTED may also mean TOO_LARGE. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  [grpc.status.CANCELLED]: 'CANCELLED',
  [grpc.status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
  [grpc.status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [grpc.status.NOT_FOUND]: 'NOT_FOUND',
  [grpc.status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [grpc.status.RESOURCE_EXHAUSTED]: 'RESOURCE_EXHAUSTED',
  [grpc.status.UNIMPLEMENTED]: 'UNSUPPORTED',
  [grpc.status.UNAVAILABLE]: 'UNAVAILABLE',
  [grpc.status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
};

/** A server by its gRPC port, such as `localhost:8001`. */
export class GrpcClient implements LcqClient {
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();
  readonly #retries: number;

  constructor(address: string, { apiKey, retries = 0, tls }: GrpcClientOptions = {}) {
    const credentials = tls
      ? grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
      : grpc.credentials.createInsecure();
    // Replies may be as large as the server lets them; retries are ours.
    const options = { 'grpc.max_receive_message_length': -1, 'grpc.enable_retries': 0 };
    this.#client = new grpc.Client(address, credentials, options);
    if (apiKey !== undefined) this.#metadata.set('x-api-key', apiKey);
    this.#retries = retries;
  }

  classify({ topK, ...picture }: ClassifyRequest, options?: CallOptions) {
    const request = { ...picture, top_k: topK };
    return this.#call<Classification>(VISION, 'Classify', request, options);
  }

  detect(request: DetectRequest, options?: CallOptions) {
    const { scoreThreshold, iouThreshold, maxDetections, ...picture } = request;
    const thresholds = {
      score_threshold: scoreThreshold,
      iou_threshold: iouThreshold,
      max_detections: maxDetections,
    };
    return this.#call<Detections>(VISION, 'Detect', { ...picture, ...thresholds }, options);
  }

  async infer(request: InferRequest, options?: CallOptions): Promise<InferReply> {
    const { model, version, inputs, outputs = [] } = request;
    const message = {
      model_name: model,
      model_version: version,
      inputs: Object.entries(inputs).map(([name, { datatype, shape }]) => {
        return { name, datatype, shape };
      }),
      raw_input_contents: Object.values(inputs).map(bytesOfElements),
      outputs: outputs.map((name) => ({ name })),
    };
    return decodeReply(await this.#call<InferMessage>(INFERENCE, 'ModelInfer', message, options));
  }

  modelMetadata({ model: name, version }: ModelReference, options?: CallOptions) {
    return this.#call<ModelMetadata>(INFERENCE, 'ModelMetadata', { name, version }, options);
  }

  async ready(model?: ModelReference, options?: CallOptions): Promise<boolean> {
    const [method, request] =
      model === undefined
        ? (['ServerReady', {}] as const)
        : (['ModelReady', { name: model.model, version: model.version }] as const);
    return (await this.#call<{ ready: boolean }>(INFERENCE, method, request, options)).ready;
  }

  close(): void {
    this.#client.close();
  }

  #call<Reply>(
    service: string,
    method: string,
    request: object,
    options: CallOptions = {},
  ): Promise<Reply> {
    const attempt = (allowance: Allowance) =>
      this.#attempt<Reply>(service, method, request, allowance);
    return makeAttempts(attempt, this.#retries, options);
  }

  #attempt<Reply>(
    service: string,
    method: string,
    request: object,
    { signal, remainingMs }: Allowance,
  ): Promise<Outcome<Reply>> {
    const { path, requestSerialize, responseDeserialize } = (
      definition[service] as grpc.ServiceDefinition
    )[method];
    return new Promise((resolve) => {
      const call = this.#client.makeUnaryRequest<object, Reply>(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Reply,
        request,
        this.#metadata,
        remainingMs === undefined ? {} : { deadline: Date.now() + remainingMs },
        (error, reply) => {
          signal?.removeEventListener('abort', cancel);
          resolve(error === null ? { reply: reply as Reply } : failure(error));
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }
}

function failure(cause: grpc.ServiceError) {
  const code = CODES[cause.code] ?? 'INTERNAL';
  const error = new LcqError(code, cause.details, { cause });
  return code === 'UNAVAILABLE' ? { error, retryAfterMs: 0 } : { error };
}

interface InferMessage {
  readonly model_name: string;
  readonly model_version: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
  }[];
  readonly raw_output_contents: readonly Buffer[];
}

function decodeReply(message: InferMessage): InferReply {
  const outputs: Record<string, Tensor> = {};
  message.outputs.forEach((output, i) => {
    outputs[output.name] = outputTensor(output, message.raw_output_contents[i]);
  });
  return { model: message.model_name, version: message.model_version, outputs };
}
