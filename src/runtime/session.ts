/** The session interface: all that the rest of the server knows of a running model. No ORT type passes it. */

export type TensorDataType =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

export type TensorElements =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** Row-major elements; `data.length` equals the product of `shape`. Not to be changed while a run reads it. */
export interface Tensor {
  readonly datatype: TensorDataType;
  readonly shape: readonly number[];
  readonly data: TensorElements;
}

/** A model's input or output. -1 is an axis free at run time; axis 0 of a batching model is the batch. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: TensorDataType;
  readonly shape: readonly number[];
}

/** A quantizer as it was trained. */
export interface TrainedQuantizer {
  readonly bits: number;
  /** The clip. */
  readonly alpha: number;
  /** Parameters of the compander, one for each interval. */
  readonly theta: readonly number[];
}

/** A layer of the `lcq` domain, as its file has it. */
export interface LcqLayer {
  readonly name: string;
  readonly op: string;
  readonly kernel: string;
  /** [M, KH, KW, C/group]; of a product [M, 1, 1, K]. */
  readonly weightShape: readonly number[];
  /** 2, 3, 4 or 8. */
  readonly weightBits: number;
  /** Integer level of each code, ascending. */
  readonly inputLevels: readonly number[];
  readonly weightLevels: readonly number[];
  /** What made its input codes and its weight codes; absent for uniform ones, and where the file does not tell. */
  readonly inputQuantizer?: TrainedQuantizer;
  readonly weightQuantizer?: TrainedQuantizer;
}

export interface SessionSpecs {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** What a session must pass, each time it is opened, before it takes requests. */
export interface Trial {
  /** Throws for a session that is not what it should be. */
  check(specs: SessionSpecs): void;
  /** It runs once with each of these, made when they are needed: what happens only once is no caller's to pay for. */
  warmUp(): readonly Readonly<Record<string, Tensor>>[];
}

export interface ModelSession extends SessionSpecs {
  /** Absent: the session cannot tell, or there are none. */
  readonly layers?: readonly LcqLayer[];
  /** Runs once, off the event loop. Rejects with an LcqError. Runs may overlap. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** Whether runs are taken at the moment; absent: always. */
  isOpen?(): boolean;
  /** Waits for runs in flight, then frees the native session. */
  dispose(): Promise<void>;
}
