import { LcqError } from '../errors.js';
import type { Tensor } from '../runtime/session.js';
import { allocate } from './tensor-bytes.js';

/** Tensors by the name of the graph input or output; axis 0 of each is the batch. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** Rows of axis 0, the same in all tensors of one request. */
export const rowCount = (tensors: NamedTensors): number => Object.values(tensors)[0].shape[0];

/** Joins requests along axis 0, in order. A single request is passed on as it is. */
export function mergeRequests(requests: readonly NamedTensors[]): NamedTensors {
  if (requests.length === 1) return requests[0];
  const names = Object.keys(requests[0]);
  return Object.fromEntries(names.map((name) => [name, concatenate(requests.map((r) => r[name]))]));
}

function concatenate(parts: readonly Tensor[]): Tensor {
  const { datatype, shape } = parts[0];
  const rows = parts.reduce((total, part) => total + part.shape[0], 0);
  const length = parts.reduce((total, part) => total + part.data.length, 0);
  // The tensors of one name have one datatype; one array type stands for all of them here.
  const data = allocate(datatype, length) as Uint8Array;
  let at = 0;
  for (const part of parts) {
    data.set(part.data as Uint8Array, at);
    at += part.data.length;
  }
  return { datatype, shape: [rows, ...shape.slice(1)], data };
}

/**
 * The rows of each request out of a batch's outputs, `rows[i]` of them for request i; views, not copies.
 *
 * Throws INTERNAL if an output does not have one row for each row that went in.
 */
export function splitReplies(outputs: NamedTensors, rows: readonly number[]): NamedTensors[] {
  const total = rows.reduce((sum, count) => sum + count, 0);
  for (const [name, { shape }] of Object.entries(outputs)) {
    if (shape[0] === total) continue;
    const message = `output '${name}' has ${shape[0]} rows for a batch of ${total}`;
    throw new LcqError('INTERNAL', 'internal error', { cause: new Error(message) });
  }
  let first = 0;
  return rows.map((count) => {
    const start = first;
    first += count;
    return mapTensors(outputs, (tensor) => rowsOf(tensor, start, count));
  });
}

function rowsOf({ datatype, shape, data }: Tensor, start: number, count: number): Tensor {
  const rowLength = data.length / shape[0];
  return {
    datatype,
    shape: [count, ...shape.slice(1)],
    data: data.subarray(start * rowLength, (start + count) * rowLength),
  };
}

function mapTensors(tensors: NamedTensors, map: (tensor: Tensor) => Tensor): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, map(tensor)]));
}
