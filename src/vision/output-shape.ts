import { LcqError } from '../errors.js';
import type { Tensor, TensorSpec } from '../runtime/session.js';

/**
 * The size of the last axis of a detector's output `[N, rows, columns]`.
 *
 * Throws INVALID_ARGUMENT, naming the field of the config that names the output: there is no such output, it is not
 * FP32, or not of this shape.
 */
export function outputColumns(
  specs: readonly TensorSpec[],
  { field, name, rows }: { field: string; name: string; rows: number },
): number {
  const spec = specs.find((candidate) => candidate.name === name);
  if (spec === undefined) {
    const names = specs.map((candidate) => candidate.name).join(', ');
    throw new LcqError(
      'INVALID_ARGUMENT',
      `${field}: the model has no output '${name}' (${names})`,
    );
  }
  const { datatype, shape } = spec;
  if (datatype !== 'FP32' || shape.length !== 3 || shape[1] !== rows || shape[2] < 1) {
    const wanted = `must be FP32 [N,${rows},columns] for this input and these strides`;
    const message = `${field}: '${name}' ${wanted}, it is ${datatype} [${shape}]`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return shape[2];
}

/** The elements of an output for one picture. Throws INTERNAL if the model broke its declared shape. */
export function outputRows(outputs: Readonly<Record<string, Tensor>>, name: string, size: number) {
  const { data, shape } = outputs[name];
  if (data instanceof Float32Array && data.length === size) return data;
  const cause = new Error(`output '${name}' is [${shape}], it should have ${size} elements`);
  throw new LcqError('INTERNAL', 'internal error', { cause });
}
