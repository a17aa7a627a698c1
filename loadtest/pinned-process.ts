import { type ChildProcess, type SpawnOptions, type StdioOptions, spawn } from 'node:child_process';

/** Cores as taskset lists them, such as `1` or `0,2-3`; undefined: all. */
export type Cores = string | undefined;

/** Starts a program, on some cores only if asked. */
export function startPinned(
  command: readonly string[],
  cores: Cores,
  options: SpawnOptions,
): ChildProcess {
  const [program, ...args] = cores === undefined ? command : ['taskset', '-c', cores, ...command];
  return spawn(program, args, options);
}

/** The same for a module of ours. */
export function startNode(
  module: string,
  args: readonly string[],
  cores: Cores,
  stdio: StdioOptions,
): ChildProcess {
  const command = [process.execPath, module, ...args];
  return startPinned(command, cores, { stdio, serialization: 'advanced' });
}

/**
 * Has `end` called when this process ends, by a signal too: nobody else would end what it started. Returns what takes
 * that back.
 */
export function atExit(end: () => void): () => void {
  const exit = () => process.exit(1);
  process.once('exit', end);
  for (const signal of SIGNALS) process.once(signal, exit);
  return () => {
    process.off('exit', end);
    for (const signal of SIGNALS) process.off(signal, exit);
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
