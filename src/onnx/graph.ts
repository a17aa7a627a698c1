/**
 * The graph IR: what the passes, the trainer and the exporter work on. Values are names; a node reads and writes
 * names; a graph is in topological order. No protobuf type appears here (see serde.ts).
 */

/** Element types that this project reads and writes, by their ONNX names in lower case. */
export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string';

/** One axis: a size, or the name of a symbolic one. */
export type Dim = number | string;

export interface TensorType {
  readonly dtype: DataType;
  readonly shape: readonly Dim[];
}

/** A constant tensor: little-endian, row-major bytes. `data.byteLength` equals the product of `shape` times the item size. */
export interface TensorData {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** An attribute's value. A float is told from an int by its tag; `ref` names an attribute of the enclosing function. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: TensorData }
  | {
      readonly ref: string;
      readonly type: 'int' | 'float' | 'string' | 'ints' | 'floats' | 'tensor';
    };

export interface Node {
  readonly name: string;
  readonly opType: string;
  /** '' is the standard ONNX domain. */
  readonly domain: string;
  /** '' stands for an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface NamedType {
  readonly name: string;
  readonly type: TensorType;
}

export interface Graph {
  name: string;
  inputs: NamedType[];
  outputs: NamedType[];
  initializers: Map<string, TensorData>;
  nodes: Node[];
  /** Types of values between. Written for runtimes, which plan their memory by them; not read. */
  values?: NamedType[];
}

/** A model-local function: the executable specification of an op in terms of standard ones. */
export interface FunctionDef {
  readonly name: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly string[];
  readonly opsets: Readonly<Record<string, number>>;
  readonly nodes: readonly Node[];
}

export interface Model {
  irVersion: number;
  producer: string;
  /** Domain to version; '' is the standard one. */
  opsets: Record<string, number>;
  graph: Graph;
  functions: FunctionDef[];
  metadata: Record<string, string>;
}
