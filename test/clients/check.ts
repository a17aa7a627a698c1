import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ServerConfig } from '../../src/config/schema.js';
import type { Ports } from '../../src/main.js';

/** What is tried of one program that calls a server of the colour model. */
export interface ClientCheck {
  readonly name: string;
  /** Of the server, beside the usual ones. */
  readonly settings?: Partial<ServerConfig>;
  /** Installs what the check needs, unless it is there; false where that cannot be done. */
  install(): boolean;
  /** `image` is the path of a PNG file, all green. Rejects if the check fails. */
  run(ports: Ports, image: string): Promise<void>;
}

const execute = promisify(execFile);

/** Runs a program for at most a minute; resolves to what it prints. Rejects if it exits with anything but 0. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  return (await execute(program, args, { timeout: 60_000 })).stdout;
}

/** Throws unless the text has all the parts. */
export function expect(text: string, ...parts: string[]): void {
  const missing = parts.find((part) => !text.includes(part));
  if (missing !== undefined) throw new Error(`'${missing}' is not in ${text}`);
}
