import { destination, type Logger, pino, stdSerializers } from 'pino';

export type { Logger };

/** A logger of JSON lines on standard error; errors carry their causes and stacks. */
export function createLogger(level: string): Logger {
  const options = { level, serializers: { err: stdSerializers.errWithCause } };
  // Written at once: the last line before an exit is the one that matters.
  return pino(options, destination({ fd: 2, sync: true }));
}
