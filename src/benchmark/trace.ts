import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLcqSession, type LcqSessionOptions } from '../runtime/lcq-session.js';
import type { Tensor } from '../runtime/session.js';

/** A node as ONNX Runtime ran it, after its fusions. */
export interface NodeTrace {
  readonly name: string;
  readonly op: string;
  /** The kernel of an `lcq` node. */
  readonly kernel?: string;
  /** The median of all runs. */
  readonly milliseconds: number;
}

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

const NODE_SUFFIX = '_kernel_time';

/**
 * Runs a model file and times its nodes, by ONNX Runtime's profiler, in the order in which they run.
 * @throws LcqError as createLcqSession and its runs do
 */
export async function traceNodes(
  path: string,
  feeds: Readonly<Record<string, Tensor>>,
  runs: number,
  options: LcqSessionOptions,
): Promise<NodeTrace[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-trace-'));
  try {
    const session = await createLcqSession(path, { ...options, profile: join(folder, 'trace') });
    for (let run = 0; run < runs; run++) await session.run(feeds);
    await session.dispose();
    const [file] = await readdir(folder);
    const events: TraceEvent[] = JSON.parse(await readFile(join(folder, file), 'utf8'));
    const kernels = new Map(session.kernels.map(({ node, kernel }) => [node, kernel]));
    return summarizeTrace(events).map((node) => {
      const kernel = kernels.get(node.name);
      return kernel === undefined ? node : { ...node, kernel };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Durations are in microseconds; a node has one event for each run. */
function summarizeTrace(events: readonly TraceEvent[]): NodeTrace[] {
  const nodes = new Map<string, { op: string; durations: number[] }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith(NODE_SUFFIX)) continue;
    const node = name.slice(0, -NODE_SUFFIX.length);
    const entry = nodes.get(node) ?? { op: args?.op_name ?? '', durations: [] };
    entry.durations.push(dur);
    nodes.set(node, entry);
  }
  return Array.from(nodes, ([name, { op, durations }]) => {
    return { name, op, milliseconds: median(durations) / 1000 };
  });
}

/** Of at least one value; the lower one of two middle ones. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1];
}
