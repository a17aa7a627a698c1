import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LcqError } from '../src/errors.js';
import type { Target } from './generator-process.js';
import { atExit, type Cores, startNode } from './pinned-process.js';

export interface ServerProcess {
  readonly pid: number;
  readonly target: Target;
  /** Asks it to drain and resolves when it is gone. */
  stop(): Promise<void>;
}

const SERVER = fileURLToPath(new URL('../src/cli/lcq.js', import.meta.url));
const READY = /REST on (\S+), gRPC on (\S+), metrics/;
const PORTS = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];

/**
 * Starts our server on free ports of the loopback interface. `args` are further settings of `lcq serve`.
 *
 * Rejects with UNAVAILABLE when it ends before it is ready.
 */
export async function startServer(args: readonly string[], cores: Cores): Promise<ServerProcess> {
  const all = ['serve', '--host', '127.0.0.1', ...PORTS, ...args];
  const child = startNode(SERVER, all, cores, ['ignore', 'pipe', 'inherit']);
  const ended = once(child, 'exit');
  const release = atExit(() => child.kill('SIGKILL'));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    release();
  };
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const died = ended.then(() => {
    throw new LcqError('UNAVAILABLE', 'the server ended before it was ready');
  });
  const [line] = await Promise.race([once(lines, 'line') as Promise<[string]>, died]);
  const [, rest, grpc] = READY.exec(line) ?? [];
  if (rest === undefined) {
    await stop();
    throw new LcqError('UNAVAILABLE', `the server said: ${line}`);
  }
  return { pid: child.pid as number, target: { rest, grpc }, stop };
}
