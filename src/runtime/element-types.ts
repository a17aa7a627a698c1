import { LcqError } from '../errors.js';
import type { TensorDataType, TensorElements } from './session.js';

/** An element type by all its names. */
export interface ElementType {
  readonly datatype: TensorDataType;
  /** The ONNX number. */
  readonly number: number;
  /** The name in onnxruntime-common. */
  readonly ortName: OrtTypeName;
  readonly array: new (buffer: ArrayBuffer) => TensorElements;
}

type OrtTypeName = 'bool' | `${'u' | ''}int${8 | 16 | 32 | 64}` | `float${16 | 32 | 64}`;

/** The types that the add-on passes; BYTES (ONNX strings) is not among them. */
const ELEMENT_TYPES: readonly ElementType[] = [
  { datatype: 'FP32', number: 1, ortName: 'float32', array: Float32Array },
  { datatype: 'UINT8', number: 2, ortName: 'uint8', array: Uint8Array },
  { datatype: 'INT8', number: 3, ortName: 'int8', array: Int8Array },
  { datatype: 'UINT16', number: 4, ortName: 'uint16', array: Uint16Array },
  { datatype: 'INT16', number: 5, ortName: 'int16', array: Int16Array },
  { datatype: 'INT32', number: 6, ortName: 'int32', array: Int32Array },
  { datatype: 'INT64', number: 7, ortName: 'int64', array: BigInt64Array },
  { datatype: 'BOOL', number: 9, ortName: 'bool', array: Uint8Array },
  { datatype: 'FP16', number: 10, ortName: 'float16', array: Uint16Array },
  { datatype: 'FP64', number: 11, ortName: 'float64', array: Float64Array },
  { datatype: 'UINT32', number: 12, ortName: 'uint32', array: Uint32Array },
  { datatype: 'UINT64', number: 13, ortName: 'uint64', array: BigUint64Array },
];

/** The type with this name or number. Throws an LcqError UNSUPPORTED, naming `value`, if it cannot be passed. */
export function elementType<K extends 'datatype' | 'number' | 'ortName'>(
  key: K,
  wanted: ElementType[K] | string,
  value: string,
): ElementType {
  const type = ELEMENT_TYPES.find((candidate) => candidate[key] === wanted);
  if (type !== undefined) return type;
  throw new LcqError('UNSUPPORTED', `'${value}' has an element type that cannot be passed`);
}
