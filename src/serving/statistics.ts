import type { ModelLabels } from '../observability/metrics.js';

/** Events and the time they took together: `StatisticDuration` of the protocol. */
export interface StatisticDuration {
  readonly count: number;
  /** Integer. */
  readonly ns: number;
}

export interface BatchStatistics {
  readonly batch_size: number;
  readonly compute_input: StatisticDuration;
  readonly compute_infer: StatisticDuration;
  readonly compute_output: StatisticDuration;
}

/** `ModelStatistics` of the Open Inference Protocol's statistics extension, the same on both transports. */
export interface ModelStatisticsReply {
  readonly name: string;
  readonly version: string;
  /** Arrival of the last request, in ms since 1970; 0 if there was none. */
  readonly last_inference: number;
  /** Rows that were run. */
  readonly inference_count: number;
  /** Batches that were run. */
  readonly execution_count: number;
  readonly inference_stats: {
    /** End to end in the server, by request. */
    readonly success: StatisticDuration;
    readonly fail: StatisticDuration;
    readonly queue: StatisticDuration;
    /** Decoding, resizing, packing. */
    readonly compute_input: StatisticDuration;
    /** The run of the request's batch. */
    readonly compute_infer: StatisticDuration;
    /** Ranking, box decoding, suppression. */
    readonly compute_output: StatisticDuration;
    readonly cache_hit: StatisticDuration;
    readonly cache_miss: StatisticDuration;
  };
  /** By batch size, ascending: joining requests, running, splitting replies. */
  readonly batch_stats: readonly BatchStatistics[];
}

/** Parts of a request's time in ms; `total` has them all and what lies between. */
export interface RequestTimes {
  readonly total: number;
  readonly queue: number;
  readonly input: number;
  readonly infer: number;
}

/** Parts of a batch's time in ms. */
export interface BatchTimes {
  readonly input: number;
  readonly infer: number;
  readonly output: number;
}

class Accumulator {
  #count = 0;
  #ms = 0;

  add(ms: number, count = 1): void {
    this.#count += count;
    this.#ms += ms;
  }

  get duration(): StatisticDuration {
    return { count: this.#count, ns: Math.round(this.#ms * 1e6) };
  }
}

class BatchAccumulator {
  readonly input = new Accumulator();
  readonly infer = new Accumulator();
  readonly output = new Accumulator();
}

/** What one loaded version of a model has done since it was loaded. */
export class ModelStatistics {
  #lastInference = 0;
  #inferenceCount = 0;
  #executionCount = 0;
  readonly #success = new Accumulator();
  readonly #fail = new Accumulator();
  readonly #queue = new Accumulator();
  readonly #input = new Accumulator();
  readonly #infer = new Accumulator();
  readonly #output = new Accumulator();
  readonly #batches = new Map<number, BatchAccumulator>();

  arrived(): void {
    this.#lastInference = Date.now();
  }

  succeeded({ total, queue, input, infer }: RequestTimes): void {
    this.#success.add(total);
    this.#queue.add(queue);
    this.#input.add(input);
    this.#infer.add(infer);
  }

  failed(ms: number): void {
    this.#fail.add(ms);
  }

  /** What was done with the outputs of a request that succeeded. */
  postprocessed(ms: number): void {
    this.#output.add(ms);
    this.#success.add(ms, 0);
  }

  ran(rows: number, { input, infer, output }: BatchTimes): void {
    this.#inferenceCount += rows;
    this.#executionCount += 1;
    const batch = this.#batches.get(rows) ?? new BatchAccumulator();
    this.#batches.set(rows, batch);
    batch.input.add(input);
    batch.infer.add(infer);
    batch.output.add(output);
  }

  reply({ model, version }: ModelLabels): ModelStatisticsReply {
    const never = { count: 0, ns: 0 };
    const batches = [...this.#batches].sort(([a], [b]) => a - b);
    return {
      name: model,
      version,
      last_inference: this.#lastInference,
      inference_count: this.#inferenceCount,
      execution_count: this.#executionCount,
      inference_stats: {
        success: this.#success.duration,
        fail: this.#fail.duration,
        queue: this.#queue.duration,
        compute_input: this.#input.duration,
        compute_infer: this.#infer.duration,
        compute_output: this.#output.duration,
        cache_hit: never,
        cache_miss: never,
      },
      batch_stats: batches.map(([batch_size, { input, infer, output }]) => ({
        batch_size,
        compute_input: input.duration,
        compute_infer: infer.duration,
        compute_output: output.duration,
      })),
    };
  }
}
