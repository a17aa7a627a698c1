import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));

/** Longest time for a start, on a machine with other load. */
const START_MS = 120_000;

export interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly metrics: number;
}

export interface ProcessOptions {
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where standard output and error go; nowhere when absent. */
  readonly output?: string;
}

/** `lcq serve` as a process of its own, with the model `net`. */
export class ServerProcess {
  readonly ports: Ports;
  readonly #child: ChildProcess;
  readonly exited: Promise<unknown[]>;

  private constructor(child: ChildProcess, ports: Ports) {
    this.#child = child;
    this.ports = ports;
    this.exited = once(child, 'exit');
  }

  /** Resolves once it is ready. */
  static async start(repository: string, options: ProcessOptions = {}): Promise<ServerProcess> {
    const [http, grpc, metrics] = await freePorts(3);
    const settings = {
      host: '127.0.0.1',
      modelRepository: repository,
      httpPort: http,
      grpcPort: grpc,
      metricsPort: metrics,
      ...options.settings,
    };
    const variables = Object.entries(settings).map(([name, value]) => {
      return [`LCQ_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`, String(value)];
    });
    const output = openSync(options.output ?? '/dev/null', 'w');
    const child = spawn(process.execPath, [LCQ, 'serve'], {
      stdio: ['ignore', output, output],
      env: { ...process.env, ...options.environment, ...Object.fromEntries(variables) },
    });
    closeSync(output);
    const server = new ServerProcess(child, { http, grpc, metrics });
    try {
      await server.#ready();
    } catch (error) {
      server.kill('SIGKILL');
      throw error;
    }
    return server;
  }

  /** Process ids of its workers. */
  get workers(): number[] {
    const { pid } = this.#child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.split(' ').map(Number).filter(Boolean);
  }

  /** Mebibytes of the server and of its workers. */
  get memory(): readonly [number, number] {
    const workers = this.workers.map(residentMiB).reduce((sum, size) => sum + size, 0);
    return [residentMiB(this.#child.pid as number), workers];
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Stops it in order; returns the exit status. */
  async stop(): Promise<unknown> {
    this.kill('SIGTERM');
    const [status] = await this.exited;
    return status;
  }

  /** The value of a gauge or counter, summed over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.ports.metrics}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.match(/^\w+/)?.[0] === name);
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Seconds since 1970, as the server has them. */
  async wallClock(): Promise<number> {
    const reply = await fetch(`http://127.0.0.1:${this.ports.http}/v2/models/net/stats`);
    const { model_stats: statistics } = (await reply.json()) as {
      model_stats: { last_inference: number }[];
    };
    return statistics[0].last_inference / 1000;
  }

  async #ready(): Promise<void> {
    const url = `http://127.0.0.1:${this.ports.http}/v2/health/ready`;
    const isReady = () =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      );
    const deadline = performance.now() + START_MS;
    while (!(await isReady())) {
      const { exitCode, signalCode } = this.#child;
      const how = exitCode ?? signalCode;
      if (how !== null) throw new Error(`the server ended before it was ready (${how})`);
      if (performance.now() > deadline) throw new Error(`not ready within ${START_MS} ms`);
      await setTimeout(50);
    }
  }
}

function residentMiB(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** All held at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  await Promise.all(servers.map((server) => once(server, 'close')));
  return ports;
}
