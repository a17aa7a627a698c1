import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { Gauge, type Registry } from 'prom-client';
import type { ModelLabels } from './metrics.js';

/** What a server knows of itself. Everything is asked for at each scrape, and nothing is kept. */
export interface ServerStatus {
  readonly version: string;
  /** 0: no limit. */
  readonly memoryBudgetBytes: number;
  /** All that `models` may say. */
  readonly modelStates: readonly string[];
  isReady(): boolean;
  requestsInFlight(): number;
  models(): readonly { readonly labels: ModelLabels; readonly state: string }[];
  /** What models have reserved; a version may be there more than once. */
  reservations(): readonly { readonly labels: ModelLabels; readonly bytes: number }[];
  workerPids(): readonly number[];
  /** Of the certificate in use; undefined: no TLS. */
  certificateExpiry(): Date | undefined;
}

const MODEL = ['model', 'version'] as const;

/** Registers the gauges of what a server is at the moment, beside the counters of what it has done. */
export function registerServerGauges(registry: Registry, status: ServerStatus): void {
  const registers = [registry];
  new Gauge({
    name: 'lcq_build_info',
    help: 'Always 1; the label says which version runs.',
    labelNames: ['version'],
    registers,
  }).set({ version: status.version }, 1);
  const gauge = (name: string, help: string, value: () => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await value());
      },
    });
  gauge('lcq_server_ready', '1 while the server takes requests, else 0.', () =>
    Number(status.isReady()),
  );
  gauge('lcq_requests_in_flight', 'Inference requests that are not answered yet.', () =>
    status.requestsInFlight(),
  );
  gauge('lcq_workers_running', 'Worker processes that run.', () => status.workerPids().length);
  gauge('lcq_workers_resident_memory_bytes', 'Resident memory of all worker processes.', () =>
    residentBytes(status.workerPids()),
  );
  gauge('lcq_memory_limit_bytes', 'Memory of the control group, or of the machine.', memoryLimit);
  gauge('lcq_memory_budget_bytes', 'Most that models may reserve; 0: no limit.', () => {
    return status.memoryBudgetBytes;
  });
  registerModelGauges(registers, status);
  new Gauge({
    name: 'lcq_tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate in use ends, in seconds since 1970; absent without TLS.',
    registers,
    collect() {
      this.remove();
      const expiry = status.certificateExpiry();
      if (expiry !== undefined) this.set(expiry.getTime() / 1000);
    },
  });
}

function registerModelGauges(registers: Registry[], status: ServerStatus): void {
  new Gauge({
    name: 'lcq_model_state',
    help: 'Of all states of a model 1 for the one it is in, 0 for the others.',
    labelNames: [...MODEL, 'state'],
    registers,
    collect() {
      this.reset();
      for (const { labels, state: current } of status.models()) {
        for (const state of status.modelStates) {
          this.set({ ...labels, state }, Number(state === current));
        }
      }
    },
  });
  new Gauge({
    name: 'lcq_model_memory_bytes',
    help: 'What a loaded model takes of the memory budget by its own account: reserved, not measured.',
    labelNames: MODEL,
    registers,
    collect() {
      this.reset();
      for (const { labels, bytes } of status.reservations()) this.inc({ ...labels }, bytes);
    },
  });
}

/** Without a limit the control group's is absent, or larger than any machine. */
const memoryLimit = () => Math.min(process.constrainedMemory() || Infinity, totalmem());

/** From /proc: 0 where there is none. */
async function residentBytes(pids: readonly number[]): Promise<number> {
  // A process may end while it is looked at.
  const files = pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
  const kibibytes = (await Promise.all(files)).map((text) => /^VmRSS:\s+(\d+) kB$/m.exec(text));
  return kibibytes.reduce((total, match) => total + Number(match?.[1] ?? 0) * 1024, 0);
}
