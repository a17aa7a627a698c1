import { Counter, Gauge, type Registry } from 'prom-client';
import type { ModelLabels, Phase, RequestOutcome } from './metrics.js';

const LABELS = ['model', 'version'] as const;

/** Triton's reasons of a failure, by our error codes; all others are OTHER. */
const REASONS: Readonly<Record<string, string>> = {
  RESOURCE_EXHAUSTED: 'REJECTED',
  UNAVAILABLE: 'REJECTED',
  CANCELLED: 'CANCELED',
  DEADLINE_EXCEEDED: 'CANCELED',
  INTERNAL: 'BACKEND',
};

const PHASE_NAMES = {
  queue: 'queue',
  preprocess: 'compute_input',
  infer: 'compute_infer',
  postprocess: 'compute_output',
} as const satisfies Record<Phase, string>;

/** The metrics of the Triton Inference Server by their own names, so that its dashboards show this server. */
export class TritonMetrics {
  readonly #success: Counter;
  readonly #failure: Counter;
  readonly #rows: Counter;
  readonly #executions: Counter;
  readonly #requestMicroseconds: Counter;
  readonly #phaseMicroseconds: Readonly<Record<Phase, Counter>>;
  readonly #loadSeconds: Gauge;

  /** `pending` gives the requests of each model that wait for a batch. */
  constructor(registry: Registry, pending: () => Iterable<readonly [ModelLabels, () => number]>) {
    const counter = (name: string, help: string, more: readonly string[] = []) =>
      new Counter({ name, help, labelNames: [...LABELS, ...more], registers: [registry] });
    const microseconds = (part: string) =>
      counter(`nv_inference_${part}_duration_us`, `Cumulative ${part} duration in microseconds`);
    this.#success = counter('nv_inference_request_success', 'Successful inference requests');
    this.#failure = counter('nv_inference_request_failure', 'Failed inference requests', [
      'reason',
    ]);
    this.#rows = counter('nv_inference_count', 'Inferences: rows of the batches that were run');
    this.#executions = counter('nv_inference_exec_count', 'Batches that were run');
    this.#requestMicroseconds = microseconds('request');
    this.#phaseMicroseconds = {
      queue: microseconds(PHASE_NAMES.queue),
      preprocess: microseconds(PHASE_NAMES.preprocess),
      infer: microseconds(PHASE_NAMES.infer),
      postprocess: microseconds(PHASE_NAMES.postprocess),
    };
    this.#loadSeconds = new Gauge({
      name: 'nv_model_load_duration_secs',
      help: 'Model load time in seconds',
      labelNames: LABELS,
      registers: [registry],
    });
    new Gauge({
      name: 'nv_inference_pending_request_count',
      help: 'Requests that are being prepared or wait for a batch',
      labelNames: LABELS,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, depth] of pending()) this.set({ ...labels }, depth());
      },
    });
  }

  request({ labels, code, seconds }: RequestOutcome): void {
    if (code === 'OK') {
      this.#success.inc({ ...labels });
      this.#requestMicroseconds.inc({ ...labels }, Math.round(seconds * 1e6));
    } else {
      this.#failure.inc({ ...labels, reason: REASONS[code] ?? 'OTHER' });
    }
  }

  phase(labels: ModelLabels, phase: Phase, milliseconds: number): void {
    this.#phaseMicroseconds[phase].inc({ ...labels }, Math.round(milliseconds * 1000));
  }

  batch(labels: ModelLabels, size: number): void {
    this.#rows.inc({ ...labels }, size);
    this.#executions.inc({ ...labels });
  }

  modelLoaded(labels: ModelLabels, milliseconds: number): void {
    this.#loadSeconds.set({ ...labels }, milliseconds / 1000);
  }
}
