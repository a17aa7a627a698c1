/** What may come back from a request of any kind, and what is a defect. */
import { gunzipSync, inflateSync } from 'node:zlib';
import { status as grpcStatus } from '@grpc/grpc-js';
import { ERROR_CODES, type ErrorCode } from '../../src/errors.js';
import type { GrpcOutcome } from './grpc-connection.js';
import type { RestOutcome } from './rest-connection.js';

export interface Verdict {
  /** What it counts as in the summary. */
  readonly label: string;
  /** Why it should not be; undefined: all is well. */
  readonly defect?: string;
}

/** Codes that say that the server is to blame; of 5xx only these, each with its meaning, may be given. */
const ALLOWED_5XX: readonly ErrorCode[] = ['UNAVAILABLE', 'UNSUPPORTED', 'DEADLINE_EXCEEDED'];
/** Of node's HTTP parser, answered below the routes. */
const PARSER_STATUS: readonly number[] = [400, 408];

export function restVerdict(outcome: RestOutcome, mustAnswer: boolean, isHead: boolean): Verdict {
  if (outcome === 'hang') return { label: 'rest hang', defect: 'no end before the deadline' };
  if (outcome === 'closed') {
    const label = 'rest closed';
    return mustAnswer ? { label, defect: 'a whole request was not answered' } : { label };
  }
  const { status, headers, body } = outcome;
  const label = `rest ${status}`;
  if (!(status >= 200 && status < 600)) return { label, defect: 'no status of HTTP' };
  if (status < 400 || isHead) return { label, ...(status === 500 ? { defect: 'status 500' } : {}) };
  const type = headers.get('content-type');
  if (type !== 'application/json') return { label, defect: `an error of type ${type}` };
  const encoding = headers.get('content-encoding') ?? 'identity';
  return { label, ...errorDefect(status, DECODERS[encoding]?.(body) ?? body) };
}

/** A long error is compressed for a caller who takes that. */
const DECODERS: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: (body) => gunzipSync(body),
  deflate: (body) => inflateSync(body),
};

function errorDefect(status: number, body: Buffer): { defect?: string } {
  const text = body.toString();
  let reply: { error?: unknown; code?: unknown };
  try {
    reply = JSON.parse(text);
  } catch {
    return { defect: `an error that is no JSON: ${text.slice(0, 200)}` };
  }
  const { error, code } = reply;
  if (typeof error !== 'string' || error === '' || !Object.hasOwn(ERROR_CODES, String(code))) {
    return { defect: `an error without words or code: ${text.slice(0, 200)}` };
  }
  if (status >= 500 && !ALLOWED_5XX.includes(code as ErrorCode)) return { defect: text };
  const isParser = code === 'INVALID_ARGUMENT' && PARSER_STATUS.includes(status);
  if (isParser || ERROR_CODES[code as ErrorCode].http === status) return {};
  return { defect: `${code} with status ${status}` };
}

const DEFECTS = [grpcStatus.UNKNOWN, grpcStatus.INTERNAL, grpcStatus.DATA_LOSS];

/** `isOpenEnded`: the call is one that the client ends. */
export function grpcVerdict(
  outcome: GrpcOutcome,
  mustAnswer: boolean,
  isOpenEnded: boolean,
): Verdict {
  if (outcome === 'hang') return { label: 'grpc hang', defect: 'no end before the deadline' };
  if (outcome === 'refused') return { label: 'grpc refused' };
  if (outcome === 'closed') {
    const label = 'grpc closed';
    return mustAnswer ? { label, defect: 'a whole call was not answered' } : { label };
  }
  const { httpStatus, status, message } = outcome;
  if (status === undefined) {
    const label = `grpc HTTP ${httpStatus}`;
    if (httpStatus >= 500) return { label, defect: 'an HTTP status of 5xx' };
    const isCut = httpStatus === 200 && !isOpenEnded;
    return isCut ? { label, defect: 'a call ended without a status' } : { label };
  }
  const label = `grpc ${grpcStatus[status] ?? status}`;
  return DEFECTS.includes(status) ? { label, defect: `${label}: ${message}` } : { label };
}
