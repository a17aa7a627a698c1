import type { DataType } from './graph.js';

/** The messages of proto/onnx.proto as plain data. Absent repeated fields read as empty lists. */

/** The element type codes of TensorProto.DataType that this project knows. */
export const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
};

/** The codes of AttributeProto.AttributeType that the IR can hold. */
export const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;
export type AttributeKind = keyof typeof ATTRIBUTE_TYPES;

/** TensorProto.DataLocation.EXTERNAL */
export const EXTERNAL_DATA = 1;

/** A 64-bit field: a number, or an object that holds one beyond 2^53. */
export type Int64 = number | { toNumber(): number; toString(): string };

export interface OpsetMessage {
  domain?: string;
  version?: Int64;
}

export interface EntryMessage {
  key?: string;
  value?: string;
}

export interface TensorMessage {
  dims: Int64[];
  data_type?: number;
  name?: string;
  segment?: Uint8Array;
  raw_data?: Uint8Array;
  float_data: number[];
  int32_data: number[];
  string_data: Uint8Array[];
  int64_data: Int64[];
  double_data: number[];
  uint64_data: Int64[];
  external_data: EntryMessage[];
  data_location?: number;
}

export interface AttributeMessage {
  name?: string;
  type?: number;
  ref_attr_name?: string;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  t?: TensorMessage;
  floats: number[];
  ints: Int64[];
  strings: Uint8Array[];
}

export interface NodeMessage {
  input: string[];
  output: string[];
  name?: string;
  op_type?: string;
  domain?: string;
  overload?: string;
  attribute: AttributeMessage[];
}

export interface ValueMessage {
  name?: string;
  type?: {
    tensor_type?: {
      elem_type?: number;
      shape?: { dim: { dim_value?: Int64; dim_param?: string }[] };
    };
  };
}

export interface GraphMessage {
  name?: string;
  node: NodeMessage[];
  initializer: TensorMessage[];
  input: ValueMessage[];
  output: ValueMessage[];
  sparse_initializer: Uint8Array[];
}

export interface FunctionMessage {
  name?: string;
  domain?: string;
  overload?: string;
  input: string[];
  output: string[];
  attribute: string[];
  node: NodeMessage[];
  opset_import: OpsetMessage[];
  attribute_proto: AttributeMessage[];
}

export interface ModelMessage {
  ir_version?: Int64;
  producer_name?: string;
  graph?: GraphMessage;
  opset_import: OpsetMessage[];
  metadata_props: EntryMessage[];
  functions: FunctionMessage[];
}
