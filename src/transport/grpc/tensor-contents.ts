import { LcqError } from '../../errors.js';
import {
  allocate,
  bytesOfElements,
  encodeByteStrings,
  isTensorDataType,
} from '../../serving/tensor-bytes.js';

/** `inference.InferTensorContents` as it is decoded; 64-bit integers are strings. */
export interface TensorContents {
  readonly bool_contents: readonly boolean[];
  readonly int_contents: readonly number[];
  readonly int64_contents: readonly string[];
  readonly uint_contents: readonly number[];
  readonly uint64_contents: readonly string[];
  readonly fp32_contents: readonly number[];
  readonly fp64_contents: readonly number[];
  readonly bytes_contents: readonly Buffer[];
}

type ContentsField = keyof TensorContents;

/** The field that holds a datatype's elements. */
const FIELD_OF: Readonly<Record<string, ContentsField>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

/**
 * The wire encoding of typed contents. Integers keep their low bytes, as the protocol has it.
 *
 * Throws INVALID_ARGUMENT when a field other than the datatype's is filled.
 */
export function bytesOfContents(
  contents: TensorContents,
  datatype: string,
  name: string,
  model: string,
): Uint8Array {
  const field = Object.hasOwn(FIELD_OF, datatype) ? FIELD_OF[datatype] : undefined;
  const filled = Object.entries(contents).filter(([, values]) => values.length > 0);
  const stray = filled.find(([name]) => name !== field);
  if (stray !== undefined || field === undefined || !isTensorDataType(datatype)) {
    throw new LcqError(
      'INVALID_ARGUMENT',
      `unexpected explicit tensor data for input tensor '${name}' for model '${model}' ` +
        `of type '${stray?.[0] ?? 'none'}', expected datatype '${datatype}'`,
    );
  }
  if (field === 'bytes_contents') return encodeByteStrings(contents.bytes_contents);
  const values = contents[field] as readonly (boolean | number | string)[];
  const elements = allocate(datatype, values.length);
  const is64Bit = field === 'int64_contents' || field === 'uint64_contents';
  values.forEach((value, i) => {
    elements[i] = is64Bit ? BigInt(value) : Number(value);
  });
  return bytesOfElements({ data: elements });
}
