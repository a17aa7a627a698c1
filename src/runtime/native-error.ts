import { type ErrorCode, LcqError } from '../errors.js';

/** ONNX Runtime's status codes that tell whose fault a failure is. */
const CODES = new Map<unknown, ErrorCode>([
  [2, 'INVALID_ARGUMENT'],
  [3, 'NOT_FOUND'], // no such file
  [7, 'INVALID_ARGUMENT'], // not a protobuf
  [9, 'UNSUPPORTED'], // not implemented
  [10, 'INVALID_ARGUMENT'], // not a valid graph
]);

/** What the add-on threw while it opened a model, as an LcqError. */
export function openError(thrown: unknown): LcqError {
  // ONNX Runtime has no code of its own for ops that it does not know, and for the like.
  return translate(thrown, 'the model cannot be loaded', 'UNSUPPORTED');
}

/** What the add-on threw while it ran a model, as an LcqError. */
export function runError(thrown: unknown): LcqError {
  return translate(thrown, 'the model cannot be run', 'INTERNAL');
}

function translate(thrown: unknown, what: string, otherwise: ErrorCode): LcqError {
  if (!(thrown instanceof Error) || thrown instanceof LcqError) return LcqError.from(thrown);
  const { status } = thrown as { status?: unknown };
  const code = CODES.get(status) ?? (status ? otherwise : 'INTERNAL');
  if (code === 'INTERNAL') return LcqError.from(thrown);
  return new LcqError(code, `${what}: ${thrown.message}`, { cause: thrown });
}
