import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Cores, startNode } from '../pinned-process.js';
import type { RunRequest, Runs } from './raw-session-process.js';

const MODULE = fileURLToPath(new URL('./raw-session-process.js', import.meta.url));

/** A model run without our server, on the server's cores and with its threads. */
export class RawSession {
  /** Of a bare gRPC server in front of it, `host:port`. */
  readonly bare: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, bare: string) {
    this.#child = child;
    this.bare = bare;
  }

  static async open(model: string, threads: number, cores: Cores): Promise<RawSession> {
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
    const child = startNode(MODULE, [model, String(threads)], cores, [...stdio]);
    const [port] = await once(child, 'message');
    return new RawSession(child, `127.0.0.1:${port}`);
  }

  async run(request: RunRequest): Promise<Runs> {
    this.#child.send(request);
    const [runs] = await once(this.#child, 'message');
    return runs;
  }

  close(): void {
    this.#child.kill();
  }
}
