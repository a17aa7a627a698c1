import { setTimeout } from 'node:timers/promises';
import { type ErrorCode, LcqError } from '../errors.js';
import type { CallOptions } from './client.js';

/** What one attempt came to. `retryAfterMs` is there where another one may fare better, and says when. */
export type Outcome<Reply> =
  | { readonly reply: Reply }
  | { readonly error: LcqError; readonly retryAfterMs?: number | undefined };

/** What an attempt may take: gone when `signal` is aborted, which is at the deadline at the latest. */
export interface Allowance {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds that are left; undefined: no limit. */
  readonly remainingMs: number | undefined;
}

/** Pause before a request is sent again, where the server does not name one; doubled each time. */
export const FIRST_PAUSE_MS = 100;

/** Makes attempts until one succeeds, none may follow, or the call's time is over. Rejects with an LcqError. */
export async function makeAttempts<Reply>(
  attempt: (allowance: Allowance) => Promise<Outcome<Reply>>,
  retries: number,
  { signal, timeoutMs }: CallOptions,
): Promise<Reply> {
  const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  const timeout = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
  const signals = signal === undefined ? timeout : [signal, ...timeout];
  const either = signals.length === 0 ? undefined : AbortSignal.any(signals);
  for (let made = 0; ; made++) {
    if (either?.aborted) throw abortError(signal);
    const remainingMs = deadline && Math.max(1, Math.ceil(deadline - performance.now()));
    const outcome = await attempt({ signal: either, remainingMs });
    if ('reply' in outcome) return outcome.reply;
    if (either?.aborted) throw abortError(signal);
    const { error, retryAfterMs } = outcome;
    if (made >= retries || retryAfterMs === undefined) throw error;
    const pause = Math.max(retryAfterMs, FIRST_PAUSE_MS * 2 ** made);
    await setTimeout(pause, undefined, either && { signal: either }).catch(() => {});
  }
}

/** The caller's own signal, or else the deadline. */
function abortError(signal: AbortSignal | undefined): LcqError {
  const code: ErrorCode = signal?.aborted ? 'CANCELLED' : 'DEADLINE_EXCEEDED';
  const message = signal?.aborted
    ? 'the request was cancelled'
    : 'the time for the request is over';
  return new LcqError(code, message);
}
