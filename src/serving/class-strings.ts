import { LcqError } from '../errors.js';
import type { Tensor } from '../runtime/session.js';
import { topK } from '../vision/top-k.js';
import { encodeByteStrings } from './tensor-bytes.js';

/**
 * The classification extension of the Open Inference Protocol: each row of `tensor`, `[N, ...]`, becomes its `count`
 * largest elements, best first, as strings `value:index` or `value:index:label`; BYTES `[N, min(count, elements)]`.
 *
 * Throws UNSUPPORTED for datatypes that are not numbers to compare.
 */
export function classStrings(
  name: string,
  { datatype, shape, data }: Tensor,
  count: number,
  labels: readonly string[],
): Tensor {
  if (datatype === 'BYTES' || datatype === 'BOOL' || datatype === 'FP16') {
    throw new LcqError('UNSUPPORTED', `output '${name}' is ${datatype}, which has no classes`);
  }
  const encoder = new TextEncoder();
  const [rows] = shape;
  const length = data.length / rows;
  const isReal = datatype === 'FP32' || datatype === 'FP64';
  const strings = Array.from({ length: rows }, (_, row) => {
    const scores = Array.from(data.subarray(row * length, (row + 1) * length), Number);
    return topK(scores, count).map(({ index, score }) => {
      const value = isReal ? score.toFixed(6) : String(score);
      const label = labels[index];
      return encoder.encode(label ? `${value}:${index}:${label}` : `${value}:${index}`);
    });
  });
  return {
    datatype: 'BYTES',
    shape: [rows, Math.min(count, length)],
    data: encodeByteStrings(strings.flat()),
  };
}
