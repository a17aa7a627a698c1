import type { Tensor, TensorDataType, TensorSpec } from '../runtime/session.js';

/** A model by name; without a version the highest one. */
export interface ModelReference {
  readonly model: string;
  readonly version?: string;
}

/** A picture for a model: the bytes of a JPEG, PNG or WebP file. */
export interface PictureRequest extends ModelReference {
  readonly image: Uint8Array;
}

export interface ClassifyRequest extends PictureRequest {
  /** How many predictions, from 1; 5 if left out. */
  readonly topK?: number;
}

export interface Classification {
  readonly model: string;
  /** The version that answered. */
  readonly version: string;
  /** Best first; `label` is empty when the model has none. */
  readonly predictions: readonly Prediction[];
}

export interface Prediction {
  /** Of the class, from 0. */
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

/** What is left out is as the model's configuration has it. */
export interface DetectRequest extends PictureRequest {
  /** Lowest score, 0 to 1. */
  readonly scoreThreshold?: number;
  /** Of two boxes of one class whose intersection over union is above this, 0 to 1, only the better is returned. */
  readonly iouThreshold?: number;
  /** 1 to 1000. */
  readonly maxDetections?: number;
}

export interface Detections {
  readonly model: string;
  readonly version: string;
  /** Size in pixels of the upright picture, which boxes refer to. */
  readonly image: { readonly width: number; readonly height: number };
  /** Best first. */
  readonly detections: readonly Detection[];
}

export interface Detection extends Prediction {
  /** In pixels; x and y are the top left corner. */
  readonly box: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  };
}

export interface InferRequest extends ModelReference {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Names; left out: all. */
  readonly outputs?: readonly string[];
}

export interface InferReply {
  readonly model: string;
  readonly version: string;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

export interface ModelMetadata {
  readonly name: string;
  /** Those that are ready. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export interface CallOptions {
  /** Aborting rejects with CANCELLED, and takes the request out of the server's queue. */
  readonly signal?: AbortSignal;
  /** Milliseconds, from 1, for the call with all its attempts; afterwards DEADLINE_EXCEEDED. The server knows it too. */
  readonly timeoutMs?: number;
}

export interface ClientOptions {
  /** Sent with every request; where the server has no keys it is ignored. */
  readonly apiKey?: string;
  /**
   * How many times more a request is sent that was answered with UNAVAILABLE, or with RESOURCE_EXHAUSTED and a time to
   * wait; 0 if left out. No request changes anything, so that sending it again is safe.
   */
  readonly retries?: number;
}

/**
 * A server, over either transport. Every method rejects with an LcqError: the server's code and message, UNAVAILABLE if
 * it cannot be reached.
 */
export interface LcqClient {
  /** Labels and scores of a picture. */
  classify(request: ClassifyRequest, options?: CallOptions): Promise<Classification>;
  /** The objects in a picture. */
  detect(request: DetectRequest, options?: CallOptions): Promise<Detections>;
  /** Tensors in, tensors out. */
  infer(request: InferRequest, options?: CallOptions): Promise<InferReply>;
  modelMetadata(model: ModelReference, options?: CallOptions): Promise<ModelMetadata>;
  /** Whether the server is ready to answer, or one of its models; false is its own word, not that it is out of reach. */
  ready(model?: ModelReference, options?: CallOptions): Promise<boolean>;
  /** Gives the connections up. */
  close(): void;
}

export type { Tensor, TensorDataType, TensorSpec };
