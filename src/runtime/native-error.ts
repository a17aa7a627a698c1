import { type ErrorCode, LcqError } from '../errors.js';

/** ONNX Runtime's status codes that tell something other than a defect of ours. */
const CODES = new Map<unknown, ErrorCode>([
  [2, 'INVALID_ARGUMENT'],
  [3, 'NOT_FOUND'], // no such file
  [7, 'INVALID_ARGUMENT'], // not a protobuf
  [9, 'UNSUPPORTED'], // not implemented
  [10, 'INVALID_ARGUMENT'], // not a valid graph
]);

/** What the add-on threw, as an LcqError; `what` says what failed. */
export function nativeError(thrown: unknown, what: string): LcqError {
  if (thrown instanceof LcqError) return thrown;
  if (!(thrown instanceof Error)) return LcqError.from(thrown);
  const code = CODES.get((thrown as { status?: unknown }).status);
  if (code === undefined) return LcqError.from(thrown);
  return new LcqError(code, `${what}: ${thrown.message}`, { cause: thrown });
}
