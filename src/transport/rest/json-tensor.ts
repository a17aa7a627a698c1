import { LcqError } from '../../errors.js';
import type { Tensor, TensorDataType } from '../../runtime/session.js';
import {
  allocate,
  bytesOfElements,
  decodeByteStrings,
  elementCount,
  encodeByteStrings,
  isTensorDataType,
} from '../../serving/tensor-bytes.js';

const MAX_DEPTH = 100;

const invalid = (message: string) => new LcqError('INVALID_ARGUMENT', message);

/**
 * The wire encoding of a tensor given as JSON `data`, nested or flat, row-major.
 *
 * Throws INVALID_ARGUMENT: values of the wrong type or out of the datatype's range, a count that is not the shape's,
 * nesting deeper than 100, datatypes that JSON cannot carry (FP16).
 */
export function bytesOfJson(
  name: string,
  datatype: string,
  shape: readonly number[],
  data: unknown,
): Uint8Array {
  if (datatype === 'FP16' || datatype === 'BF16') throw binaryOnly('input', name, datatype);
  if (!isTensorDataType(datatype)) {
    throw invalid(`inference input '${name}' data-type is '${datatype}', which is not known`);
  }
  if (!Array.isArray(data)) throw invalid(`input '${name}': 'data' must be an array`);
  const expected = elementCount(shape);
  const values: unknown[] = [];
  flatten(data, values, expected, 1);
  if (values.length !== expected) {
    const count = values.length > expected ? `more than ${expected}` : values.length;
    throw invalid(
      `input '${name}': 'data' has ${count} values, shape [${shape}] means ${expected}`,
    );
  }
  return datatype === 'BYTES' ? encodeStrings(name, values) : encodeNumbers(name, datatype, values);
}

/** Collects the values, stopping at the first one too many. */
function flatten(data: readonly unknown[], values: unknown[], limit: number, depth: number): void {
  if (depth > MAX_DEPTH) {
    throw invalid(`JSON nesting depth exceeds maximum allowed limit (${MAX_DEPTH})`);
  }
  for (const value of data) {
    if (values.length > limit) return;
    if (Array.isArray(value)) flatten(value, values, limit, depth + 1);
    else values.push(value);
  }
}

function encodeStrings(name: string, values: readonly unknown[]): Uint8Array {
  const encoder = new TextEncoder();
  const strings = values.map((value) => {
    if (typeof value === 'string') return encoder.encode(value);
    throw invalid(`input '${name}': a value of datatype BYTES must be a string`);
  });
  return encodeByteStrings(strings);
}

function encodeNumbers(
  name: string,
  datatype: TensorDataType,
  values: readonly unknown[],
): Uint8Array {
  const elements = allocate(datatype, values.length);
  const isReal = datatype === 'FP32' || datatype === 'FP64';
  values.forEach((value, i) => {
    const number = datatype === 'BOOL' && typeof value === 'boolean' ? Number(value) : value;
    const element = typeof number === 'number' ? toElement(number, elements) : undefined;
    if (element !== undefined) elements[i] = element;
    // An element array keeps only what fits its type: what comes out changed was out of range or not an integer.
    if (element === undefined || (!isReal && elements[i] !== element)) {
      // Not written out: an object may be nested deeper than the stack.
      const shown =
        typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
      throw invalid(`input '${name}': ${shown} is not a value of ${datatype}`);
    }
  });
  return bytesOfElements({ data: elements });
}

/** JSON integers beyond 2^53 arrive rounded, so they are refused rather than stored wrong. */
function toElement(value: number, elements: Tensor['data']): number | bigint | undefined {
  const is64Bit = elements instanceof BigInt64Array || elements instanceof BigUint64Array;
  if (!is64Bit) return value;
  return Number.isSafeInteger(value) ? BigInt(value) : undefined;
}

function decodeStrings(name: string, encoded: Uint8Array): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return decodeByteStrings(encoded).map((string) => decoder.decode(string));
  } catch {
    throw binaryOnly('output', name, 'not UTF-8');
  }
}

/** The JSON array of a tensor's elements, flat. Throws INVALID_ARGUMENT for what JSON cannot carry. */
export function jsonOfTensor(name: string, { datatype, data }: Tensor): string {
  if (datatype === 'FP16') throw binaryOnly('output', name, datatype);
  if (datatype === 'BYTES') return JSON.stringify(decodeStrings(name, data as Uint8Array));
  if (datatype === 'BOOL') return JSON.stringify(Array.from(data, Boolean));
  const text = data.join(',');
  // NaN, Infinity
  if (/[NI]/.test(text)) throw binaryOnly('output', name, 'not finite');
  return `[${text}]`;
}

const binaryOnly = (side: 'input' | 'output', name: string, what: string) =>
  invalid(
    `${side} '${name}' is ${what}, which JSON cannot carry. Please use the binary data format`,
  );
