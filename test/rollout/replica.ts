import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Ports } from '../../src/main.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));

/** A server's process, as a pod would hold it. */
export class Replica {
  readonly #process: ChildProcess;
  /** Resolves when it has ended, to its exit status: 0 if it was told to and has answered everything. */
  readonly ended: Promise<number>;

  /** Starts it and resolves at once; its readiness is the balancer's to see. */
  constructor(ports: Ports, modelRepository: string, settings: Readonly<Record<string, number>>) {
    const all = {
      LCQ_HOST: '127.0.0.1',
      LCQ_HTTP_PORT: ports.http,
      LCQ_GRPC_PORT: ports.grpc,
      LCQ_METRICS_PORT: ports.metrics,
      LCQ_MODEL_REPOSITORY: modelRepository,
      LCQ_LOG_LEVEL: 'warn',
      ...settings,
    };
    const env = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, `${value}`]));
    this.#process = spawn(process.execPath, [LCQ, 'serve'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...env },
    });
    this.ended = once(this.#process, 'exit').then(([status]) => status ?? 1);
    process.once('exit', () => this.#process.kill('SIGKILL'));
  }

  /** As Kubernetes does. Resolves as `ended`, also when it ended before. */
  stop(): Promise<number> {
    this.#process.kill('SIGTERM');
    return this.ended;
  }
}
