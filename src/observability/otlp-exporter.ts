import type { TraceContext } from './trace-context.js';

/** A finished request of a server. */
export interface Span {
  readonly context: TraceContext;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly milliseconds: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Absent: it went well. */
  readonly error?: string;
}

export interface OtlpOptions {
  /** The full URL, such as http://collector:4318/v1/traces. */
  readonly endpoint: string;
  readonly serviceVersion: string;
  onError(message: string): void;
}

/** Spans that may wait to be sent; of more, the newest are dropped: tracing never costs the service its memory. */
const MAX_WAITING = 2048;
const MAX_BATCH = 512;
const INTERVAL_MS = 2000;
const TIMEOUT_MS = 5000;
const KIND_SERVER = 2;
const STATUS_ERROR = 2;

/**
 * Sends spans to an OpenTelemetry collector, in batches: OTLP/HTTP with JSON encoding (opentelemetry.io/docs/specs/otlp).
 * The official SDK's exporter would bring a dozen packages for this one message, and needs a later Node.js than this
 * package does.
 */
export class OtlpExporter {
  readonly #options: OtlpOptions;
  readonly #waiting: Span[] = [];
  #dropped = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#flush(), INTERVAL_MS).unref();
  }

  add(span: Span): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(span);
    else this.#dropped += 1;
  }

  /** Sends what waits. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#waiting.length > 0) await this.#flush();
  }

  async #flush(): Promise<void> {
    const spans = this.#waiting.splice(0, MAX_BATCH);
    if (this.#dropped > 0) this.#options.onError(`${this.#dropped} spans were dropped`);
    this.#dropped = 0;
    if (spans.length === 0) return;
    try {
      const { status } = await fetch(this.#options.endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(tracesData(spans, this.#options.serviceVersion)),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (status >= 300) this.#options.onError(`the trace collector answered ${status}`);
    } catch (error) {
      this.#options.onError(`the trace collector does not answer: ${(error as Error).message}`);
    }
  }
}

/** `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`. */
function tracesData(spans: readonly Span[], version: string) {
  const resource = { 'service.name': 'lcq-serving', 'service.version': version };
  const scope = { name: 'lcq-serving', version };
  return {
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource) },
        scopeSpans: [{ scope, spans: spans.map(spanMessage) }],
      },
    ],
  };
}

function spanMessage(span: Span) {
  const { context, parentSpanId, name, startedAt, milliseconds, attributes, error } = span;
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    kind: KIND_SERVER,
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(startedAt + milliseconds),
    attributes: keyValues(attributes),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  };
}

const keyValues = (attributes: Span['attributes']) =>
  Object.entries(attributes).map(([key, value]) => {
    return { key, value: typeof value === 'string' ? { stringValue: value } : { intValue: value } };
  });

/** 64-bit integers are strings in JSON. */
const nanoseconds = (ms: number) => String(BigInt(Math.round(ms * 1000)) * 1000n);
