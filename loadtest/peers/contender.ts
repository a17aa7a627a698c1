import type { SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LcqError } from '../../src/errors.js';
import { atExit, type Cores, startPinned } from '../pinned-process.js';
import { startServer } from '../server-process.js';
import { peerFile } from './python.js';

/** A server with one model that classifies the pictures of forms. */
export interface Contender {
  readonly name: string;
  start(cores: Cores): Promise<Running>;
}

export interface Running {
  readonly pid: number;
  /** Of REST, `http://host:port`. */
  readonly target: string;
  /** Where forms with the file field `field` go. */
  readonly path: string;
  readonly field: string;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const THREADS = 1;

/** Our server, with a packaged model. */
export const ours = (name: string, model: string): Contender => ({
  name,
  async start(cores) {
    const only = ['--model-control', 'explicit', '--load-models', model];
    const settings = ['--threads', String(THREADS), '--log-level', 'warn', ...only];
    const { pid, target, stop } = await startServer(settings, cores);
    const path = `/v1/models/${model}:classify`;
    return { pid, target: target.rest, path, field: 'image', stop };
  },
});

/** LitServe with a model on onnxruntime, batching as ours does. */
export const litServe = (
  name: string,
  python: string,
  model: string,
  maxBatch: number,
): Contender => ({
  name,
  async start(cores) {
    const port = await freePort();
    const args = [model, port, THREADS, maxBatch].map(String);
    const command = [python, peerFile('litserve_server.py'), ...args];
    // In a group of its own: its workers do not end with it.
    const options: SpawnOptions = { stdio: ['ignore', 'ignore', 'inherit'], detached: true };
    const child = startPinned(command, cores, options);
    const ended = once(child, 'exit');
    const pid = child.pid as number;
    const end = () => {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // All of them have ended.
      }
    };
    const release = atExit(end);
    const stop = async () => {
      release();
      end();
      await ended;
    };
    const target = `http://127.0.0.1:${port}`;
    try {
      const died = ended.then(() => {
        throw new LcqError('UNAVAILABLE', 'LitServe ended before it was ready');
      });
      await Promise.race([answers(`${target}/health`), died]);
    } catch (error) {
      await stop();
      throw error;
    }
    return { pid, target, path: '/predict', field: 'request', stop };
  },
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function answers(url: string): Promise<void> {
  for (const end = performance.now() + START_MS; performance.now() < end; await sleep(200)) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
  }
  throw new LcqError('UNAVAILABLE', `${url} does not answer`);
}
