import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';

/** Cores as taskset lists them, such as `1` or `0,2-3`; undefined: all. */
export type Cores = string | undefined;

/** Starts a module of ours, on some cores only if asked. */
export function startNode(
  module: string,
  args: readonly string[],
  cores: Cores,
  stdio: StdioOptions,
): ChildProcess {
  const command = [process.execPath, module, ...args];
  const [program, ...rest] = cores === undefined ? command : ['taskset', '-c', cores, ...command];
  return spawn(program, rest, { stdio, serialization: 'advanced' });
}
