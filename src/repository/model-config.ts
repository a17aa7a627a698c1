import { z } from 'zod';
import { versionPolicySchema } from './version-policy.js';

/** A file name inside the model's own folder: no separators, no dot files. */
const fileName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'must be a plain file name');

const perChannel = z.array(z.number()).length(3);

const normalization = z.strictObject({
  scale: z
    .number()
    .positive()
    .default(1 / 255),
  mean: perChannel,
  std: z.array(z.number().positive()).length(3),
});

const batching = z
  .strictObject({
    maxQueueDelayMs: z.number().min(0).max(60_000).exactOptional(),
    queueCapacity: z.int().min(1).max(1_000_000).exactOptional(),
    maxBatchesInFlight: z.int().min(1).max(64).exactOptional(),
    preferredBatchSizes: z.array(z.int().min(1).max(4096)).max(16).exactOptional(),
    whenFull: z.enum(['reject', 'delay']).exactOptional(),
    priorityLevels: z.int().min(1).max(16).exactOptional(),
    defaultPriority: z.int().min(1).max(16).exactOptional(),
    maxRunMs: z.number().min(0).max(3_600_000).exactOptional(),
    maxQueueWaitMs: z.number().min(0).max(3_600_000).exactOptional(),
    defaultTimeoutMs: z.number().min(0).max(3_600_000).exactOptional(),
    latencyTargetMs: z.number().min(1).max(60_000).exactOptional(),
  })
  .refine(({ priorityLevels = 1, defaultPriority = 1 }) => defaultPriority <= priorityLevels, {
    path: ['defaultPriority'],
    error: 'must be at most priorityLevels',
  });

const pictureInput = {
  /** The graph input that takes the picture. */
  name: z.string().min(1),
  layout: z.enum(['NHWC', 'NCHW']),
  width: z.int().min(1).max(16_384),
  height: z.int().min(1).max(16_384),
  /** Order of the colours in the graph input. */
  channels: z.enum(['RGB', 'BGR']).default('RGB'),
  /** Of `letterbox`: bars at the end (right, below) or around, of one grey. */
  padding: z
    .strictObject({
      position: z.enum(['end', 'around']).default('end'),
      value: z.int().min(0).max(255).default(114),
    })
    .prefault({}),
  /** Required when the graph input is FP32, forbidden when it is UINT8. `(pixel * scale - mean) / std`. */
  normalization: normalization.optional(),
};

const serving = {
  /** One label a line, in the order of the classes. */
  labels: fileName.optional(),
  maxBatchSize: z.int().min(1).max(4096).default(32),
  /** Overrides of the server's batching defaults. */
  batching: batching.default({}),
  /** Sessions opened of this model; their batches run side by side. */
  instances: z.int().min(1).max(64).default(1),
  /** Which of the version folders are served. */
  versions: versionPolicySchema.prefault({ policy: 'latest' }),
  /** Whether the server is ready only once this model is, and does not start without it. */
  required: z.boolean().default(true),
  /** What one instance takes of the server's memory budget; the size of model.onnx when absent. */
  memoryBytes: z
    .int()
    .min(0)
    .max(2 ** 50)
    .exactOptional(),
};

const classification = z.strictObject({
  task: z.literal('classification'),
  input: z.strictObject({
    ...pictureInput,
    /** `cover`: scale to fill, crop the centre; `stretch`: ignore the aspect ratio; `letterbox`: scale to fit, pad. */
    resize: z.enum(['cover', 'stretch', 'letterbox']).default('cover'),
  }),
  output: z.strictObject({
    /** The graph output that holds one value for each class, `[N, classes]`. */
    name: z.string().min(1),
    /** What turns it into scores. */
    activation: z.enum(['softmax', 'none']),
  }),
  ...serving,
});

const outputNames = z.array(z.string().min(1)).min(1).max(8);
const strides = z.array(z.int().min(1).max(1024)).min(1).max(8).default([8, 16, 32]);

const yoloxOutput = z.strictObject({
  decoder: z.literal('yolox'),
  /** The graph output `[N, cells, 5 + classes]`. */
  name: z.string().min(1),
  strides,
});

const nanodetOutput = z
  .strictObject({
    decoder: z.literal('nanodet'),
    /** For each stride the graph output `[N, cells, classes]`. */
    scores: outputNames,
    /** For each stride the graph output `[N, cells, 4 * bins]`. */
    distances: outputNames,
    strides,
  })
  .refine(
    ({ scores, distances, strides }) =>
      scores.length === strides.length && distances.length === strides.length,
    { path: ['strides'], error: 'scores, distances and strides must be of one length' },
  );

const detection = z.strictObject({
  task: z.literal('detection'),
  input: z.strictObject({
    ...pictureInput,
    /** `letterbox`: scale to fit, pad; `stretch`: ignore the aspect ratio. */
    resize: z.enum(['letterbox', 'stretch']).default('letterbox'),
  }),
  output: z.discriminatedUnion('decoder', [yoloxOutput, nanodetOutput]),
  /** What a request that does not say otherwise gets. */
  thresholds: z
    .strictObject({
      scoreThreshold: z.number().min(0).max(1).default(0.25),
      iouThreshold: z.number().min(0).max(1).default(0.6),
      maxDetections: z.int().min(1).max(1000).default(100),
    })
    .prefault({}),
  ...serving,
});

/** config.json of a model: what a server must know beyond the ONNX file to answer with labels for a picture. */
export const modelConfigSchema = z.discriminatedUnion('task', [classification, detection]);

export type ClassificationConfig = z.infer<typeof classification>;
export type DetectionConfig = z.infer<typeof detection>;
export type ModelConfig = ClassificationConfig | DetectionConfig;

/** Axes of one picture in the model's input, without the batch. */
export function pictureShape({ layout, width, height }: ModelConfig['input']): readonly number[] {
  return layout === 'NHWC' ? [height, width, 3] : [3, height, width];
}
