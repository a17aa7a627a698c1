import { type ErrorCode, LcqError } from '../errors.js';

/** An error as callers of either transport see it. */
export interface PublicError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Messages quote what callers sent, and that can be megabytes; gRPC carries the message in a header. */
const MAX_MESSAGE_LENGTH = 1024;

/** Code and message for the caller; `cause` and stack stay here. */
export function publicError(thrown: unknown): PublicError {
  const { code, message } = LcqError.from(thrown);
  return { code, message: clipMessage(message) };
}

/** A text of bounded length that every encoding can carry: half a character would fail gRPC's. */
export function clipMessage(message: string): string {
  const clipped =
    message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}...` : message;
  return clipped.toWellFormed();
}
