import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Load } from './load.js';
import { type ModelKey, modelFolder, type Question } from './questions.js';
import { type ProcessOptions, ServerProcess } from './server-process.js';
import type { Tally } from './tally.js';

/** What a fault is injected into: a server that answers from model A, under load. */
export interface World {
  readonly server: ServerProcess;
  readonly load: Load;
  /** Puts other content in the place of the model file, by a rename. */
  replaceModel(content: Uint8Array): Promise<void>;
}

export interface Outcome {
  readonly fault: string;
  readonly tally: Tally;
  /** Milliseconds from each injection to the first right reply. */
  readonly recoveries: readonly number[];
  /** Mebibytes of server and workers, before and after. */
  readonly memory: readonly (readonly [number, number])[];
  /** What went wrong besides replies. */
  readonly failures: readonly string[];
}

/** Outcomes of a fault, as it tells them while it is injected. */
export class Report {
  readonly recoveries: number[] = [];
  readonly failures: string[] = [];

  expect(holds: boolean, failure: string): void {
    if (!holds) this.failures.push(failure);
  }
}

export interface FaultOptions extends ProcessOptions {
  /** Error codes that well-behaved callers may see; none if absent. */
  readonly codes?: readonly string[];
}

/** Time under load before a fault and after it. */
const STEADY_MS = 500;

/** Starts server and load, injects the fault, and stops both in order. */
export async function underLoad(
  fault: string,
  questions: readonly Question[],
  { codes = [], ...options }: FaultOptions,
  inject: (world: World, report: Report) => Promise<void>,
): Promise<Outcome> {
  const root = await mkdtemp(join(tmpdir(), 'lcq-faults-'));
  const folder = join(root, 'net');
  await cp(modelFolder('A'), folder, { recursive: true });
  const report = new Report();
  const server = await ServerProcess.start(root, options);
  try {
    const load = new Load(server.ports, questions);
    const replaceModel = async (content: Uint8Array) => {
      await writeFile(join(root, '.next'), content);
      await rename(join(root, '.next'), join(folder, '1', 'model.onnx'));
    };
    await load.recovery();
    await setTimeout(STEADY_MS);
    const before = server.memory;
    await inject({ server, load, replaceModel }, report);
    await setTimeout(STEADY_MS);
    const after = load.isStopping ? before : server.memory;
    const tally = await load.stop();
    const others = [...tally.coded.keys()].filter((code) => !codes.includes(code));
    report.expect(others.length === 0, `callers saw ${others}`);
    if (!load.isStopping) await settle(server, report);
    return { fault, tally, memory: [before, after], ...report };
  } finally {
    server.kill('SIGKILL');
    await rm(root, { recursive: true });
  }
}

/** Nothing is left of requests once all have been answered, and the server stops in order. */
async function settle(server: ServerProcess, report: Report): Promise<void> {
  const deadline = performance.now() + 10_000;
  while ((await server.metric('lcq_queue_depth')) > 0 && performance.now() < deadline) {
    await setTimeout(50);
  }
  report.expect((await server.metric('lcq_queue_depth')) === 0, 'requests stay in the queue');
  const status = await server.stop();
  report.expect(status === 0, `exit status ${status}`);
}

/** Asks for the repository's content to be loaded; resolves to the HTTP status. */
export async function loadModel({ ports }: ServerProcess): Promise<number> {
  const url = `http://127.0.0.1:${ports.http}/v2/repository/models/net/load`;
  return (await fetch(url, { method: 'POST' })).status;
}

/** Whose answers are right while one model takes over from another, and after. */
export const both: ReadonlySet<ModelKey> = new Set(['A', 'B']);
