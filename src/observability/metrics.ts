import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { TritonMetrics } from './triton-metrics.js';

export interface ModelLabels {
  readonly model: string;
  readonly version: string;
}

/** Stands for every model a caller invents: label values only ever come from the model repository. */
export const UNKNOWN_MODEL: ModelLabels = { model: '_unknown', version: '_unknown' };

export type Protocol = 'rest' | 'grpc';
export type Operation = 'classify' | 'detect' | 'infer';
/** Parts of a request's time: waiting for a batch, decoding and packing, running, ranking. */
export type Phase = 'queue' | 'preprocess' | 'infer' | 'postprocess';

export interface RequestOutcome {
  readonly protocol: Protocol;
  readonly operation: Operation;
  readonly labels: ModelLabels;
  /** `OK` or an error code. */
  readonly code: string;
  readonly seconds: number;
}

const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128];
const MODEL = ['model', 'version'] as const;

/** All metrics of one server, in a registry of its own. */
export class Metrics {
  readonly registry = new Registry();
  readonly #queues = new Map<ModelLabels, () => number>();

  readonly #requests = new Counter({
    name: 'lcq_requests_total',
    help: 'Inference requests by outcome: OK or an error code.',
    labelNames: [...MODEL, 'protocol', 'operation', 'code'],
    registers: [this.registry],
  });
  readonly #requestSeconds = new Histogram({
    name: 'lcq_request_duration_seconds',
    help: 'From the arrival of an inference request to the end of its reply, failed ones included.',
    labelNames: [...MODEL, 'protocol', 'operation'],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #phaseSeconds = new Histogram({
    name: 'lcq_request_phase_duration_seconds',
    help: 'Parts of a successful request: queue, preprocess, infer (of its whole batch), postprocess.',
    labelNames: [...MODEL, 'phase'],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #batchSize = new Histogram({
    name: 'lcq_batch_size',
    help: 'Rows of the batches that were run.',
    labelNames: MODEL,
    buckets: BATCH_SIZES,
    registers: [this.registry],
  });
  readonly #flushes = new Counter({
    name: 'lcq_batch_flushes_total',
    help: 'Batches by the reason they were closed: full, preferred, settled (nobody else on the way), delay, drain.',
    labelNames: [...MODEL, 'reason'],
    registers: [this.registry],
  });
  readonly #loadSeconds = new Gauge({
    name: 'lcq_model_load_seconds',
    help: 'Time to load and warm up a model.',
    labelNames: MODEL,
    registers: [this.registry],
  });

  readonly #loadFailures = new Counter({
    name: 'lcq_model_load_failures_total',
    help: 'Loads of a model of the repository that failed, by error code; what answered before still does.',
    labelNames: ['model', 'code'],
    registers: [this.registry],
  });

  readonly #workerCrashes = new Counter({
    name: 'lcq_worker_crashes_total',
    help: 'Worker processes that ended unasked, by signal or exit status.',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly #workerRestarts = new Counter({
    name: 'lcq_worker_restarts_total',
    help: 'Worker processes that came back with their models.',
    registers: [this.registry],
  });

  readonly #triton: TritonMetrics | undefined;

  constructor({ triton = false }: { readonly triton?: boolean } = {}) {
    const queues = this.#queues;
    this.#triton = triton ? new TritonMetrics(this.registry, () => queues) : undefined;
    new Gauge({
      name: 'lcq_queue_depth',
      help: 'Requests that are being prepared or wait for a batch.',
      labelNames: MODEL,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, depth] of queues) this.set({ ...labels }, depth());
      },
    });
    collectDefaultMetrics({ register: this.registry });
  }

  request(outcome: RequestOutcome): void {
    const { protocol, operation, labels, code, seconds } = outcome;
    this.#triton?.request(outcome);
    this.#requests.inc({ ...labels, protocol, operation, code });
    this.#requestSeconds.observe({ ...labels, protocol, operation }, seconds);
  }

  phase(labels: ModelLabels, phase: Phase, milliseconds: number): void {
    this.#triton?.phase(labels, phase, milliseconds);
    this.#phaseSeconds.observe({ ...labels, phase }, milliseconds / 1000);
  }

  batch(labels: ModelLabels, size: number, reason: string): void {
    this.#triton?.batch(labels, size);
    this.#batchSize.observe({ ...labels }, size);
    this.#flushes.inc({ ...labels, reason });
  }

  modelLoaded(labels: ModelLabels, milliseconds: number): void {
    this.#triton?.modelLoaded(labels, milliseconds);
    this.#loadSeconds.set({ ...labels }, milliseconds / 1000);
  }

  modelLoadFailed(model: string, code: string): void {
    this.#loadFailures.inc({ model, code });
  }

  workerCrashed(reason: string | number): void {
    this.#workerCrashes.inc({ reason });
  }

  workerRestarted(): void {
    this.#workerRestarts.inc();
  }

  /** From now on `lcq_queue_depth` reports `depth()`, until `forgetQueue` with the same object. */
  watchQueue(labels: ModelLabels, depth: () => number): void {
    this.#queues.set(labels, depth);
  }

  forgetQueue(labels: ModelLabels): void {
    this.#queues.delete(labels);
  }
}
