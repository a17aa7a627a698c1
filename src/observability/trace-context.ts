import { randomBytes } from 'node:crypto';

/** Where a request stands in a distributed trace (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Whether the caller records this trace. */
  readonly sampled: boolean;
}

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})/;

/** Reads a `traceparent` header; undefined if there is none, or one that is not to be understood. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  // Later versions may append fields, version 00 may not.
  const isKnown = header?.length === 55 || (header?.[55] === '-' && !header.startsWith('00'));
  const match = isKnown ? TRACEPARENT.exec(header) : null;
  if (match === null) return undefined;
  const [, traceId, spanId, flags] = match;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** A span below `parent`, or at the root of a trace of its own, which is recorded. */
export function childContext(parent: TraceContext | undefined): TraceContext {
  const spanId = randomBytes(8).toString('hex');
  if (parent !== undefined) return { ...parent, spanId };
  return { traceId: randomBytes(16).toString('hex'), spanId, sampled: true };
}
