import type { Caller as QueueCaller } from '../batching/dynamic-batcher.js';
import type { RequestTiming } from './request-timing.js';

/** Who asks, and how long it waits. */
export interface Caller extends QueueCaller {
  /** Told where the request's time went. */
  readonly timing?: RequestTiming | undefined;
}
