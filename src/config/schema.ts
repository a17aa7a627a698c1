import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { cpuLimit } from './cpu-limit.js';

/** Flags and environment variables are text; a number must be all of it. */
const fromText = (value: unknown) =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : value;

const integer = (min: number, max: number) => z.preprocess(fromText, z.int().min(min).max(max));
const milliseconds = (max: number) => z.preprocess(fromText, z.number().min(0).max(max));
const flag = z.preprocess(
  (value) => (value === 'true' || value === 'false' ? value === 'true' : value),
  z.boolean(),
);
/** Empty: none. */
const file = z.string().default('');
const port = () => integer(0, 65_535);

const MEBIBYTE = 1 << 20;
const packagedModels = fileURLToPath(new URL('../../../models/', import.meta.url));

/**
 * Everything that can be configured. A field `httpPort` is the flag `--http-port`, the environment variable
 * `LCQ_HTTP_PORT` and the key `httpPort` of the configuration file.
 */
export const configSchema = z.strictObject({
  host: z.string().min(1).default('0.0.0.0').describe('address to listen on'),
  httpPort: port().default(8000).describe('REST port; 0 takes a free one'),
  grpcPort: port().default(8001).describe('gRPC port; 0 takes a free one'),
  metricsPort: port().default(8002).describe('Prometheus port; 0 takes a free one'),
  modelRepository: z
    .string()
    .min(1)
    .default(packagedModels)
    .describe('folder of NAME/VERSION/model.onnx'),
  modelControl: z
    .enum(['none', 'explicit', 'poll'])
    .default('none')
    .describe('what changes models after the start: nothing, requests, or the repository itself'),
  loadModels: z
    .string()
    .default('')
    .describe('comma-separated models to load at the start; only with explicit control'),
  pollIntervalMs: milliseconds(86_400_000)
    .default(15_000)
    .describe('pause between looks at the repository'),
  memoryBudgetBytes: integer(0, 2 ** 50)
    .default(0)
    .describe('most memory that loaded models may take by their own account; 0: no limit'),

  maxBodyBytes: integer(1024, 2 ** 31 - 1)
    .default(64 * MEBIBYTE)
    .describe('largest HTTP body'),
  maxGrpcMessageBytes: integer(1024, 2 ** 31 - 1)
    .default(64 * MEBIBYTE)
    .describe('largest gRPC message, either way'),
  grpcConnectionAgeMs: milliseconds(86_400_000)
    .default(0)
    .describe('age at which gRPC connections are asked to reconnect, 10 % more or less; 0: never'),
  maxImageBytes: integer(1024, 2 ** 31 - 1)
    .default(16 * MEBIBYTE)
    .describe('largest encoded image'),
  maxImagePixels: integer(1, 2 ** 28)
    .default(50_000_000)
    .describe('most pixels of an image'),

  playground: flag.default(true).describe('serve the playground at / of the REST port'),

  maxQueueDelayMs: milliseconds(60_000)
    .default(5)
    .describe('longest wait for requests that are still being decoded'),
  queueCapacity: integer(1, 1_000_000).default(256).describe('waiting requests of a model'),
  maxBatchesInFlight: integer(1, 64)
    .default(1)
    .describe('batches that an instance of a model runs at once'),
  whenFull: z
    .enum(['reject', 'delay'])
    .default('reject')
    .describe('what a full queue does with one more request'),
  maxRunMs: milliseconds(3_600_000)
    .default(100)
    .describe('longest run, as recent ones foretell it, that a batch may grow to; 0: no limit'),
  maxQueueWaitMs: milliseconds(3_600_000)
    .default(1000)
    .describe(
      'longest wait, as recent ones foretell it, that a request is let in for; 0: no limit',
    ),
  defaultTimeoutMs: milliseconds(3_600_000)
    .default(0)
    .describe('longest wait in the queue of a request that brings no timeout; 0: no limit'),
  latencyTargetMs: milliseconds(60_000)
    .default(0)
    .describe('p99 from queue to reply that batching holds by itself; 0: limits stand as set'),

  threads: integer(1, 1024).default(cpuLimit()).describe('threads of a batch'),
  workers: integer(0, 64)
    .default(1)
    .describe('processes that run the models; 0: in the process of the server'),
  workerTimeoutMs: milliseconds(3_600_000)
    .default(60_000)
    .describe('longest run of a batch, after which its worker is restarted'),

  tlsCert: file.describe('PEM file of the certificate chain of both ports; empty: no TLS'),
  tlsKey: file.describe('PEM file of its private key'),
  tlsClientCa: file.describe('PEM file of the authorities whose clients are let in (mutual TLS)'),
  apiKeys: file.describe('JSON file of API keys; empty: callers need none'),
  adminAccess: z
    .enum(['key', 'off'])
    .default('key')
    .describe('who may use admin endpoints: where there are keys those of the role admin; nobody'),
  reloadIntervalMs: milliseconds(86_400_000)
    .default(5000)
    .describe('pause between looks at the files of certificates and keys'),
  rateLimit: milliseconds(1_000_000)
    .default(0)
    .describe('requests a second that one client may send; 0: no limit'),
  rateBurst: integer(1, 1_000_000)
    .default(100)
    .describe('requests that it may send at once after a pause'),

  accessLog: flag.default(false).describe('log every request'),
  tritonMetrics: flag.default(false).describe("Triton's nv_inference_* metrics too"),
  otlpEndpoint: z
    .string()
    .default('')
    .describe('URL that traces are sent to (OTLP over HTTP); empty: no traces'),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('least severe level that is logged'),
  drainDelayMs: milliseconds(3_600_000)
    .default(0)
    .describe('how long SIGTERM leaves the ports open, not ready, so that load balancers notice'),
  drainTimeoutMs: milliseconds(3_600_000)
    .default(10_000)
    .describe('longest wait for requests in flight after that'),
});

export type ServerConfig = z.infer<typeof configSchema>;
export type ConfigField = keyof ServerConfig;

/** A field as `--help` and the error messages show it. */
export interface FieldDescription {
  readonly field: ConfigField;
  readonly flag: string;
  readonly variable: string;
  readonly description: string;
  readonly defaultValue: string | number | boolean;
}

/** All fields, in the order of the schema. */
export const CONFIG_FIELDS: readonly FieldDescription[] = Object.entries(configSchema.shape).map(
  ([name, schema]) => {
    const words = name.split(/(?=[A-Z])/);
    return {
      field: name as ConfigField,
      flag: `--${words.join('-').toLowerCase()}`,
      variable: `LCQ_${words.join('_').toUpperCase()}`,
      description: schema.description ?? '',
      defaultValue: schema.parse(undefined) as string | number | boolean,
    };
  },
);
