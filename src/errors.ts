/** Every error that may leave this program carries one of these codes; each row says how both transports report it. */
export const ERROR_CODES = {
  /** The caller sent something malformed: fields, shapes, types, images. */
  INVALID_ARGUMENT: { grpc: 3, http: 400 },
  /** The payload, image or batch is larger than the configured limit. */
  TOO_LARGE: { grpc: 8, http: 413 },
  /** The body is of a media type that the endpoint does not read. */
  UNSUPPORTED_MEDIA_TYPE: { grpc: 3, http: 415 },
  /** No API key, or one that we do not know. */
  UNAUTHENTICATED: { grpc: 16, http: 401 },
  /** Known, and not allowed to do this. */
  PERMISSION_DENIED: { grpc: 7, http: 403 },
  /** No such model, version, path or file. */
  NOT_FOUND: { grpc: 5, http: 404 },
  /** The path exists, the verb does not. */
  METHOD_NOT_ALLOWED: { grpc: 12, http: 405 },
  /** The model file uses something that this build cannot run; names the node and op. */
  UNSUPPORTED: { grpc: 12, http: 501 },
  /** A queue is full, or the caller's rate limit exceeded. */
  RESOURCE_EXHAUSTED: { grpc: 8, http: 429 },
  /** The caller's deadline passed or it went away. */
  DEADLINE_EXCEEDED: { grpc: 4, http: 504 },
  CANCELLED: { grpc: 1, http: 499 },
  /** Starting, draining, or the model is not ready. */
  UNAVAILABLE: { grpc: 14, http: 503 },
  /** A defect of ours. The message shown to callers says nothing of the inside. */
  INTERNAL: { grpc: 13, http: 500 },
} as const satisfies Record<string, { grpc: number; http: number }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The one error type of this project. `message` is written for the caller; `cause` stays in our logs. */
export class LcqError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LcqError';
    this.code = code;
  }

  /** Wraps what was thrown. Anything that is not already an LcqError becomes an opaque INTERNAL one. */
  static from(thrown: unknown): LcqError {
    if (thrown instanceof LcqError) return thrown;
    return new LcqError('INTERNAL', 'internal error', { cause: thrown });
  }
}

/** What comes while the server drains. */
export const stopping = () => new LcqError('UNAVAILABLE', 'Server is stopping');
