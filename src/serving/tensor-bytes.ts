import { LcqError } from '../errors.js';
import type { Tensor, TensorDataType, TensorElements } from '../runtime/session.js';

/** Element arrays by datatype. FP16 is kept as its bit patterns; BYTES as the length-prefixed encoding below. */
const ELEMENT_ARRAYS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
  BYTES: Uint8Array,
} as const satisfies Record<TensorDataType, unknown>;

export const isTensorDataType = (name: string): name is TensorDataType =>
  Object.hasOwn(ELEMENT_ARRAYS, name);

/** Bytes of one element; 1 for BYTES, whose elements vary. */
export const elementSize = (datatype: TensorDataType): number =>
  ELEMENT_ARRAYS[datatype].BYTES_PER_ELEMENT;

export const allocate = (datatype: TensorDataType, length: number): TensorElements =>
  new ELEMENT_ARRAYS[datatype](length);

/** Number of elements of a shape. */
export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, dimension) => product * dimension, 1);

/**
 * Elements from their wire encoding: little-endian, row-major, no padding (binary tensor data extension), which is how
 * this machine keeps them too. Shares the memory where its alignment allows.
 */
export function elementsFromBytes(datatype: TensorDataType, bytes: Uint8Array): TensorElements {
  const ElementArray = ELEMENT_ARRAYS[datatype];
  const size = ElementArray.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  return new ElementArray(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / size,
  );
}

/** The wire encoding of a tensor's elements; shares their memory. */
export function bytesOfElements({ data }: Pick<Tensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Elements of a BYTES tensor: each a little-endian uint32 length followed by that many bytes. Of more than `limit` the
 * first `limit + 1`: megabytes of empty ones are not worth the memory.
 */
export function decodeByteStrings(encoded: Uint8Array, limit = Infinity): Uint8Array[] {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const strings: Uint8Array[] = [];
  let at = 0;
  while (at < encoded.length && strings.length <= limit) {
    const end = at + 4 <= encoded.length ? at + 4 + view.getUint32(at, true) : Infinity;
    if (end > encoded.length) {
      const message = `BYTES element ${strings.length} is longer than the data (uint32 length, then bytes)`;
      throw new LcqError('INVALID_ARGUMENT', message);
    }
    strings.push(encoded.subarray(at + 4, end));
    at = end;
  }
  return strings;
}

/** The encoding that `decodeByteStrings` reads. */
export function encodeByteStrings(strings: readonly Uint8Array[]): Uint8Array {
  const encoded = new Uint8Array(strings.reduce((total, string) => total + 4 + string.length, 0));
  const view = new DataView(encoded.buffer);
  let at = 0;
  for (const string of strings) {
    view.setUint32(at, string.length, true);
    encoded.set(string, at + 4);
    at += 4 + string.length;
  }
  return encoded;
}
