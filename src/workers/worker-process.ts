import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LcqError } from '../errors.js';
import type { Answers, Question, Reply, Request } from './messages.js';

interface Pending {
  resolve(answer: Answers[Question['kind']]): void;
  reject(error: LcqError): void;
}

/** How a process ended: a signal's name or an exit status. */
export type Ending = NodeJS.Signals | number;

export interface WorkerCommand {
  /** Path of the module that the worker runs. */
  readonly module: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How long a worker may take to leave when its channel is closed. */
const LEAVE_MS = 2000;

/** One life of a worker: a process, and the questions it has not answered. */
export class WorkerProcess {
  /** Resolves when the process is gone, whatever ended it. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #gone = false;

  constructor({ module, args, env }: WorkerCommand) {
    this.#child = fork(module, args, {
      // Typed arrays travel as bytes, not as text.
      serialization: 'advanced',
      // Native code may print, and standard output belongs to the server.
      stdio: ['ignore', 2, 2, 'ipc'],
      execArgv: [],
      env,
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('error', () => resolve(1));
      this.#child.once('exit', (status, signal) => resolve(signal ?? status ?? 1));
    });
    void this.ended.then(() => this.#giveUp());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when the worker takes requests; rejects with UNAVAILABLE if it ends before. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#child.on('message', (reply: Reply) => this.#onReply(reply, resolve));
    });
    const died = this.ended.then((how) => {
      throw new LcqError('UNAVAILABLE', `a worker process ended while it started (${how})`);
    });
    await Promise.race([ready, died]);
  }

  /** Rejects as the worker answers, or with UNAVAILABLE when it ends before it has answered. */
  ask<Kind extends Question['kind']>(question: Question & { kind: Kind }): Promise<Answers[Kind]> {
    if (this.#gone) return Promise.reject(lost());
    return new Promise<Answers[Question['kind']]>((resolve, reject) => {
      this.#lastId += 1;
      this.#pending.set(this.#lastId, { resolve, reject });
      const request: Request = { id: this.#lastId, question };
      // What breaks the channel ends the process too, and that is what counts.
      this.#child.send(request, () => {});
    }) as Promise<Answers[Kind]>;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends the process and resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const inTime = new AbortController();
    const late = sleep(LEAVE_MS, undefined, { signal: inTime.signal }).then(() => this.kill());
    await this.ended;
    inTime.abort();
    await late.catch(() => {});
  }

  #onReply(reply: Reply, onReady: () => void): void {
    if (reply.kind === 'ready') {
      onReady();
      return;
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.kind === 'answer') {
      pending?.resolve(reply.answer);
      return;
    }
    const { code, message, stack } = reply;
    pending?.reject(new LcqError(code, message, stack ? { cause: new Error(stack) } : {}));
  }

  #giveUp(): void {
    this.#gone = true;
    for (const { reject } of this.#pending.values()) reject(lost());
    this.#pending.clear();
  }
}

const lost = () => new LcqError('UNAVAILABLE', 'the worker process of this model ended, try again');
