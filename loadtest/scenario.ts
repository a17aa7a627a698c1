import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { LcqError } from '../src/errors.js';

const seconds = z.number().positive().max(86_400);
const size = z.int().min(1).max(16_384);

const payload = z.discriminatedUnion('kind', [
  /** Seeded random values. */
  z.strictObject({
    kind: z.literal('tensor'),
    datatype: z.enum(['UINT8', 'FP32']).default('UINT8'),
    /** Of one request; axis 0 is the batch. */
    shape: z.array(size).min(1),
  }),
  /** Seeded random pictures with the detail of photos. */
  z.strictObject({
    kind: z.literal('picture'),
    width: size,
    height: size,
    format: z.enum(['jpeg', 'png', 'webp']).default('jpeg'),
  }),
  /** Pictures of a folder and the folders below it, relative to the working directory: the first `limit` by name. */
  z.strictObject({
    kind: z.literal('files'),
    folder: z.string().min(1),
    limit: z.int().min(1).default(64),
  }),
]);

const stream = z
  .strictObject({
    name: z.string().min(1),
    /** Its share of the arrivals. */
    weight: z.number().positive().default(1),
    call: z.enum([
      'grpc-infer',
      'grpc-classify',
      'grpc-detect',
      'rest-infer-json',
      'rest-infer-binary',
      'rest-classify',
      'rest-detect',
    ]),
    model: z.string().min(1),
    /** Name of the input tensor of an infer call. */
    input: z.string().min(1).default('image'),
    payload,
    /** Of a REST call, in place of the protocol's own: for other servers. */
    path: z.string().startsWith('/').optional(),
    /** Sends a picture over REST as the file field of this name of a form, as a browser does. */
    form: z.string().min(1).optional(),
    /** Sends its body no faster than this: a client on a poor connection. */
    bytesPerSecond: z.number().positive().optional(),
    /** In place of the scenario's. */
    goodWithinMs: z.number().positive().optional(),
  })
  .refine(({ call, payload: { kind } }) => call.includes('infer') || kind !== 'tensor', {
    path: ['payload', 'kind'],
    message: 'only infer calls take a tensor',
  })
  .refine(({ call, payload: { kind } }) => !call.startsWith('rest-infer') || kind === 'tensor', {
    path: ['payload', 'kind'],
    message: 'REST infer calls take a tensor',
  });

const phase = z.strictObject({
  seconds,
  /** Arrivals a second, or a share of the capacity that is measured first, such as `"80%"`. */
  rate: z.union([
    z.number().positive(),
    z.string().regex(/^[1-9][0-9]*%$/, 'must be a number or a percentage such as "80%"'),
  ]),
});

/** What a run must show; what is absent is not asked. */
const expectations = z.strictObject({
  /** Most requests that may fail, refused ones too, as a share of all. */
  failedShare: z.number().min(0).max(1).optional(),
  /** The p99 of OK replies, in ms beyond a multiple of the time that a lone caller waits for one. */
  p99: z
    .strictObject({ serviceTimes: z.number().positive(), plusMs: z.number().min(0) })
    .optional(),
  /** Least goodput, as a share of the capacity. */
  goodputShare: z.number().min(0).optional(),
  /** The p99 of the time until a refusal. */
  refusalMs: z.number().positive().optional(),
  /** Growth of the server's memory that is surely not exceeded (95 % confidence), in MB an hour. */
  growthMbPerHour: z.number().min(0).optional(),
});

const scenario = z.strictObject({
  description: z.string(),
  /** Of arrivals and payloads. */
  seed: z.int().default(1),
  /** At the first phase's rate, before anything counts. */
  warmUpSeconds: z.number().min(0).max(3600).default(5),
  /** A reply counts as good up to this latency. */
  goodWithinMs: z.number().positive().default(50),
  /** The run is not valid if the p99 from scheduled to sent is longer. */
  maxLagMs: z.number().positive().default(5),
  /** How long the last replies are waited for. */
  replyTimeoutMs: z.number().positive().default(10_000),
  phases: z.array(phase).min(1),
  streams: z.array(stream).min(1),
  /** Where a search for the highest rate with p99 below `goodWithinMs` starts, and how long it tries each rate. */
  search: z
    .strictObject({ from: z.number().positive(), seconds: seconds.default(10) })
    .default({ from: 10, seconds: 10 }),
  expect: expectations.default({}),
});

export type Scenario = z.infer<typeof scenario> & { readonly name: string };
export type Stream = Scenario['streams'][number];
export type Payload = Stream['payload'];

/** Checks a scenario. Throws INVALID_ARGUMENT naming the field. */
export function parseScenario(json: unknown, name: string): Scenario {
  const parsed = scenario.safeParse(json);
  if (parsed.success) return { ...parsed.data, name };
  const [{ path, message }] = parsed.error.issues;
  const field = path.length > 0 ? `${path.join('.')}: ` : '';
  throw new LcqError('INVALID_ARGUMENT', `scenario ${name}: ${field}${message}`);
}

/** Rejects with NOT_FOUND or INVALID_ARGUMENT. */
export async function loadScenario(path: string): Promise<Scenario> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new LcqError('NOT_FOUND', `cannot read scenario ${path}`, { cause });
  });
  try {
    return parseScenario(JSON.parse(text), basename(path, '.json'));
  } catch (cause) {
    if (cause instanceof LcqError) throw cause;
    throw new LcqError('INVALID_ARGUMENT', `scenario ${path} is not valid JSON`, { cause });
  }
}
