import { LcqError } from '../errors.js';
import type { Model } from '../onnx/graph.js';
import { type ClassificationConfig, modelConfigSchema } from '../repository/model-config.js';

/** What a file does not say about the pictures that its float32 input takes. */
export interface Preprocessing {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly resize: 'cover' | 'stretch' | 'letterbox';
}

const DEFAULTS: Preprocessing = {
  scale: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  resize: 'cover',
};

/**
 * How a pretrained classifier is served: float32 [N,3,H,W], or bytes [N,H,W,3] that it normalizes itself.
 * @param preprocessing what differs from pixels of 0 to 1 of the middle of a picture
 * @throws LcqError UNSUPPORTED for other inputs, or outputs other than [N,classes]
 */
export function classifierConfig(
  { graph }: Model,
  preprocessing: Partial<Preprocessing>,
): ClassificationConfig {
  const { scale, mean, std, resize } = { ...DEFAULTS, ...preprocessing };
  const [input, ...others] = graph.inputs;
  const { dtype, shape } = input?.type ?? { dtype: undefined, shape: [] };
  const [layout, height, width, channels] =
    dtype === 'uint8' ? (['NHWC', ...shape.slice(1)] as const) : nchw(shape);
  const known = dtype === 'float32' || dtype === 'uint8';
  if (others.length > 0 || !known || shape.length !== 4 || channels !== 3) {
    const wanted = 'float32 [N,3,H,W] or uint8 [N,H,W,3]';
    throw new LcqError('UNSUPPORTED', `the model must have one input, ${wanted}`);
  }
  if (graph.outputs.length !== 1 || graph.outputs[0].type.shape.length !== 2) {
    throw new LcqError('UNSUPPORTED', 'the model must have one output, [N,classes]');
  }
  return modelConfigSchema.parse({
    task: 'classification',
    input: {
      name: input.name,
      layout,
      height,
      width,
      resize,
      ...(dtype === 'float32' && { normalization: { scale, mean, std } }),
    },
    output: { name: graph.outputs[0].name, activation: 'softmax' },
  }) as ClassificationConfig;
}

const nchw = ([, channels, height, width]: readonly (number | string)[]) =>
  ['NCHW', height, width, channels] as const;
