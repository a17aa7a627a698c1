/** Runs the tools that setup calls, their output held back unless they fail. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A failure that the user can act on: its message is all that is printed. */
export class SetupError extends Error {}

const TAIL_LINES = 30;
const TAIL_CHARACTERS = 16_384;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @throws {SetupError} with the last lines of the output when the command fails. */
export async function run(command, args) {
  const child = spawn(command, args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-TAIL_CHARACTERS);
    });
  }
  let startError;
  child.once('error', (error) => {
    startError = error;
  });
  // The whole process group must have ended before our lock is given up.
  let stoppedBy;
  const stop = (signal) => {
    stoppedBy = signal;
    process.kill(-child.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  const status = await new Promise((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  for (const signal of SIGNALS) process.off(signal, stop);
  if (stoppedBy !== undefined) throw new SetupError(`stopped by ${stoppedBy}.`);
  if (startError === undefined && status === 0) return;
  const reason = startError?.message ?? `ended with ${status}`;
  const tail = output.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  throw new SetupError(`${[command, ...args].join(' ')}: ${reason}\n${tail}`.trimEnd());
}
