import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writeBlockDetector } from '../end-to-end/block-detector.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const MEBIBYTE = 1 << 20;

/** Flags under which the limits are within the reach of small requests. */
const FLAGS = {
  host: '127.0.0.1',
  'http-port': 0,
  'grpc-port': 0,
  'metrics-port': 0,
  threads: 1,
  'model-control': 'explicit',
  'log-level': 'warn',
  'max-body-bytes': MEBIBYTE,
  'max-grpc-message-bytes': MEBIBYTE,
};

/** `lcq serve` as a process of its own with real workers: the embedded models and the block detector, `blocks`. */
export class ServerProcess {
  readonly http: number;
  readonly grpc: number;
  /** What it logged, by level and message, with how often. */
  readonly log = new Map<string, number>();
  readonly #metrics: number;
  readonly #process: ChildProcess;
  readonly #repository: string;

  private constructor(process: ChildProcess, readyLine: string, repository: string) {
    const [http, grpc, metrics] = [...readyLine.matchAll(/127\.0\.0\.1:(\d+)/g)].map((m) =>
      Number(m[1]),
    );
    this.http = http;
    this.grpc = grpc;
    this.#metrics = metrics;
    this.#process = process;
    this.#repository = repository;
    createInterface({ input: process.stderr as NodeJS.ReadableStream }).on('line', (line) =>
      this.#logged(line),
    );
  }

  static async start(): Promise<ServerProcess> {
    const repository = await mkdtemp(join(tmpdir(), 'lcq-fuzz-'));
    await cp(join(root, 'models'), repository, { recursive: true });
    await writeBlockDetector(repository);
    const models = (await readdir(repository)).join(',');
    const settings = { ...FLAGS, 'model-repository': repository, 'load-models': models };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const args = [join(root, 'dist', 'src', 'cli', 'lcq.js'), 'serve', ...flags];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = createInterface({ input: child.stdout });
    const exit = once(child, 'exit').then(([status]) => {
      throw new Error(`the server ended with status ${status} before it was ready`);
    });
    const [line] = (await Promise.race([once(lines, 'line'), exit])) as [string];
    exit.catch(() => {});
    return new ServerProcess(child, line, repository);
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Worker processes that ended unasked so far. */
  async workerCrashes(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#metrics}/metrics`)).text();
    const counts = [...text.matchAll(/^lcq_worker_crashes_total\S* (\d+)$/gm)].map((m) =>
      Number(m[1]),
    );
    return counts.reduce((total, count) => total + count, 0);
  }

  /** Resident memory in MiB: of the server, and of its workers together. */
  async memory(): Promise<{ server: number; workers: number }> {
    const { pid } = this.#process;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    const workers = await Promise.all(children.trim().split(/\s+/).map(residentMemory));
    return {
      server: await residentMemory(String(pid)),
      workers: workers.reduce((total, size) => total + size, 0),
    };
  }

  async stop(): Promise<void> {
    if (this.isRunning) {
      const exit = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await exit;
    }
    await rm(this.#repository, { recursive: true });
  }

  #logged(line: string): void {
    const { level, msg, err } = parseLine(line);
    const key = `${level} ${msg}${err?.stack ? `\n${err.stack}` : ''}`;
    this.log.set(key, (this.log.get(key) ?? 0) + 1);
  }
}

interface LogLine {
  readonly level: unknown;
  readonly msg: unknown;
  readonly err?: { readonly stack?: string };
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 'text', msg: line };
  }
}

async function residentMemory(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
}
