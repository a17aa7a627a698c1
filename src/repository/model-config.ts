import { z } from 'zod';

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

const batching = z.strictObject({
  maxQueueDelayMs: z.number().min(0).max(60_000).exactOptional(),
  queueCapacity: z.int().min(1).max(1_000_000).exactOptional(),
  maxBatchesInFlight: z.int().min(1).max(64).exactOptional(),
});

/** config.json of a model: what a server must know beyond the ONNX file to answer with labels for a picture. */
export const modelConfigSchema = z.strictObject({
  task: z.literal('classification'),
  input: z.strictObject({
    /** The graph input that takes the picture. */
    name: z.string().min(1),
    layout: z.enum(['NHWC', 'NCHW']),
    width: z.int().min(1).max(16_384),
    height: z.int().min(1).max(16_384),
    /** `cover`: scale to fill, crop the centre; `stretch`: ignore the aspect ratio. */
    resize: z.enum(['cover', 'stretch']).default('cover'),
    /** Required when the graph input is FP32, forbidden when it is UINT8. `(pixel * scale - mean) / std`. */
    normalization: normalization.optional(),
  }),
  output: z.strictObject({
    /** The graph output that holds one value for each class, `[N, classes]`. */
    name: z.string().min(1),
    /** What turns it into scores. */
    activation: z.enum(['softmax', 'none']),
  }),
  /** One label a line, in the order of the classes. */
  labels: fileName.optional(),
  maxBatchSize: z.int().min(1).max(4096).default(32),
  /** Overrides of the server's batching defaults. */
  batching: batching.default({}),
});

export type ModelConfig = z.infer<typeof modelConfigSchema>;

/** Axes of one picture in the model's input, without the batch. */
export function pictureShape({ layout, width, height }: ModelConfig['input']): readonly number[] {
  return layout === 'NHWC' ? [height, width, 3] : [3, height, width];
}
