import { LcqError } from '../errors.js';
import type { DataType, TensorData } from './graph.js';

export type FixedSizeType = Exclude<DataType, 'string'>;

/** Bytes of one element. */
export const ITEM_SIZES: Readonly<Record<FixedSizeType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const;

interface ElementArrays {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
}

/** Element types that JavaScript has a typed array for. */
export type ElementType = keyof ElementArrays;
export type Elements<T extends ElementType> = ElementArrays[T];

/** The number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/**
 * A tensor's bytes as typed elements. The memory is shared where its alignment allows, else copied: read only.
 * @throws LcqError INVALID_ARGUMENT if the tensor has another element type.
 */
export function elementsOf<T extends ElementType>(tensor: TensorData, dtype: T): Elements<T> {
  if (tensor.dtype !== dtype) {
    throw new LcqError('INVALID_ARGUMENT', `expected a tensor of ${dtype}, found ${tensor.dtype}`);
  }
  const ArrayType = ARRAYS[dtype];
  const { data } = tensor;
  const aligned = data.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? data : new Uint8Array(data);
  const length = aligned.byteLength / ArrayType.BYTES_PER_ELEMENT;
  return new ArrayType(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    length,
  ) as unknown as Elements<T>;
}

/** A constant tensor over the memory of typed elements. */
export function tensorOf<T extends ElementType>(
  dtype: T,
  shape: readonly number[],
  elements: Elements<T>,
): TensorData {
  const data = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  return { dtype, shape, data };
}
