import { randomUUID } from 'node:crypto';
import type { Logger } from './logger.js';
import type { Protocol } from './metrics.js';
import type { OtlpExporter } from './otlp-exporter.js';
import { childContext, parseTraceparent } from './trace-context.js';

/** What a request says of itself, by lower-case name. */
export type Headers = (name: string) => string | undefined;

export interface ObservedRequest {
  /** The caller's `x-request-id`, or one of ours. */
  readonly id: string;
  /** Once: `target` is the route or the method, `code` is `OK` or an error code. */
  finish(target: string, code: string): void;
}

export interface ObserverOptions {
  readonly log: Logger;
  /** Whether every request is logged. */
  readonly accessLog: boolean;
  /** Undefined: requests are not traced. */
  readonly exporter: OtlpExporter | undefined;
}

/** What may come back in a header and stand in a log line. */
const REQUEST_ID = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

/** Gives each request its id, its line in the access log and its span. */
export class RequestObserver {
  readonly #options: ObserverOptions;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  start(protocol: Protocol, headers: Headers): ObservedRequest {
    const given = headers('x-request-id') ?? '';
    const id = REQUEST_ID.test(given) ? given : randomUUID();
    const startedAt = Date.now();
    const start = performance.now();
    const parent = this.#options.exporter && parseTraceparent(headers('traceparent'));
    const context = this.#options.exporter && childContext(parent);
    const finish = (target: string, code: string) => {
      const milliseconds = performance.now() - start;
      if (this.#options.accessLog) {
        const trace = context && { traceId: context.traceId };
        const line = { requestId: id, protocol, target, code, milliseconds, ...trace };
        this.#options.log.info(line, 'request');
      }
      if (!context?.sampled) return;
      this.#options.exporter?.add({
        context,
        parentSpanId: parent?.spanId,
        name: target,
        startedAt,
        milliseconds,
        attributes: { 'rpc.system': protocol, 'lcq.code': code, 'lcq.request_id': id },
        ...(code === 'OK' ? {} : { error: code }),
      });
    };
    return { id, finish };
  }
}
