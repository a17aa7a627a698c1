import { type Logger, pino, stdSerializers } from 'pino';
import { LineOutput } from './line-output.js';

export type { Logger };

/** A logger of JSON lines on standard error; errors carry their causes and stacks. */
export function createLogger(level: string): Logger {
  const options = { level, serializers: { err: stdSerializers.errWithCause } };
  return pino(options, new LineOutput(2));
}
