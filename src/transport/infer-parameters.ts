import { LcqError } from '../errors.js';

/** Parameters by name, their values plain: boolean, number or string. */
export type Parameters = Readonly<Record<string, unknown>>;

/** What a caller asks of the queue (schedule policy extension). */
export interface SchedulingParameters {
  /** 1 is served first; 0 or absent: the model's default. */
  readonly priority?: number;
  /** Longest time until the run starts, in ms; 0 or absent: the model's default. */
  readonly timeoutMs?: number;
}

/** As many classes as may be asked for. */
const MAX_CLASSES = 1_000_000;
/** Names that begin like this are not for callers, but for this one, which asks for what is always done. */
const RESERVED_PREFIX = 'triton_';
const FINAL_RESPONSE = 'triton_enable_empty_final_response';

/**
 * Reads the parameters of an infer request. Those that mean nothing here are ignored, as the protocol has it.
 *
 * Throws INVALID_ARGUMENT naming the parameter.
 */
export function schedulingParameters(parameters: Parameters = {}): SchedulingParameters {
  const reserved = Object.keys(parameters).find((name) => {
    return name.startsWith(RESERVED_PREFIX) && name !== FINAL_RESPONSE;
  });
  if (reserved !== undefined) {
    const message = `parameter '${reserved}': names that begin with 'triton_' are reserved`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  const priority = integer(parameters, 'priority', 0);
  const timeout = integer(parameters, 'timeout', 0);
  return {
    ...(priority === undefined ? {} : { priority }),
    // Microseconds on the wire.
    ...(timeout === undefined ? {} : { timeoutMs: timeout / 1000 }),
  };
}

/**
 * How many classes a requested output is to be turned into; undefined: it is wanted as it is.
 *
 * Throws INVALID_ARGUMENT, or UNSUPPORTED as `refuseSharedMemory` does.
 */
export function classCount(parameters: Parameters = {}, output: string): number | undefined {
  refuseSharedMemory(parameters, output);
  const count = integer(parameters, 'classification', 1);
  if (count === undefined || count <= MAX_CLASSES) return count;
  const message = `parameter 'classification' of '${output}' must be at most ${MAX_CLASSES}`;
  throw new LcqError('INVALID_ARGUMENT', message);
}

/** Throws UNSUPPORTED: what lies in shared memory cannot be ignored, and this server does not look there. */
export function refuseSharedMemory(parameters: Parameters = {}, tensor: string): void {
  if (!Object.hasOwn(parameters, 'shared_memory_region')) return;
  const message = `parameter 'shared_memory_region' of '${tensor}' is not supported`;
  throw new LcqError('UNSUPPORTED', message);
}

function integer(parameters: Parameters, name: string, min: number): number | undefined {
  if (!Object.hasOwn(parameters, name)) return undefined;
  const value = parameters[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value;
  const rule = min === 0 ? 'a non-negative integer' : 'a positive integer';
  throw new LcqError('INVALID_ARGUMENT', `parameter '${name}' must be ${rule}`);
}
