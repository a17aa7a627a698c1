import { LcqError } from '../errors.js';
import type { Graph, Model, NamedType } from '../onnx/graph.js';
import { type DetectionConfig, modelConfigSchema } from '../repository/model-config.js';
import { type DetectionOutput, detectionDecoder } from '../vision/detector.js';
import type { Preprocessing } from './classifier-config.js';

/** Heads whose boxes the server decodes. */
export const DETECTORS = ['yolox', 'nanodet'] as const;
export type Detector = (typeof DETECTORS)[number];

/** How the authors' own training code prepares pictures; the colours are in the order of `channels`. */
const PREPARATION = {
  yolox: {
    channels: 'BGR',
    padding: { position: 'end', value: 114 },
    normalization: { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  },
  nanodet: {
    channels: 'BGR',
    padding: { position: 'around', value: 0 },
    normalization: { scale: 1, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] },
  },
} as const;

export interface DetectorDescription {
  readonly config: DetectionConfig;
  readonly classes: number;
}

/**
 * How a pretrained detector is served: pictures letterboxed into float32 [N,3,H,W], boxes decoded from its outputs.
 * @param preprocessing what differs from the authors' own
 * @throws LcqError UNSUPPORTED for other inputs, INVALID_ARGUMENT for outputs that the decoder does not fit
 */
export function detectorConfig(
  { graph }: Model,
  detector: Detector,
  preprocessing: Partial<Preprocessing>,
): DetectorDescription {
  const [input, ...others] = graph.inputs;
  const { dtype, shape } = input?.type ?? { dtype: undefined, shape: [] };
  const [batch, channels, height, width] = shape;
  const sized = typeof height === 'number' && typeof width === 'number';
  if (others.length > 0 || dtype !== 'float32' || shape.length !== 4 || channels !== 3 || !sized) {
    throw new LcqError('UNSUPPORTED', 'a detector must have one input, float32 [N,3,H,W]');
  }
  const { normalization, ...preparation } = PREPARATION[detector];
  const { scale, mean, std } = { ...normalization, ...preprocessing };
  const { resize = 'letterbox' } = preprocessing;
  const config = modelConfigSchema.parse({
    task: 'detection',
    input: {
      name: input.name,
      layout: 'NCHW',
      height,
      width,
      resize,
      ...preparation,
      normalization: { scale, mean, std },
    },
    output: detector === 'yolox' ? yoloxOutput(graph) : nanodetOutput(graph),
    ...(typeof batch === 'number' && { maxBatchSize: batch }),
  }) as DetectionConfig;
  const specs = graph.outputs.map(({ name, type }) => {
    return { name, datatype: 'FP32' as const, shape: [1, ...type.shape.slice(1)] as number[] };
  });
  const decoder = detectionDecoder(config.output as DetectionOutput, config.input, specs);
  return { config, classes: decoder.classes };
}

function yoloxOutput({ outputs }: Graph): object {
  if (outputs.length !== 1) {
    throw new LcqError(
      'UNSUPPORTED',
      `a yolox detector must have one output, not ${outputs.length}`,
    );
  }
  return { decoder: 'yolox', name: outputs[0].name };
}

/** Scores are what comes out of a Sigmoid, distances the rest; feature maps have fewer cells from one to the next. */
function nanodetOutput(graph: Graph): object {
  const cells = ({ type }: NamedType) => Number(type.shape[1]);
  const ordered = [...graph.outputs].sort((a, b) => cells(b) - cells(a));
  const named = (probabilities: boolean) =>
    ordered.map(({ name }) => name).filter((name) => isProbability(graph, name) === probabilities);
  const [scores, distances] = [named(true), named(false)];
  if (scores.length === 0 || scores.length !== distances.length) {
    const message =
      'a nanodet detector must have a pair of outputs, one of a Sigmoid, for each stride';
    throw new LcqError('UNSUPPORTED', message);
  }
  return { decoder: 'nanodet', scores, distances };
}

/** Whether nothing but changes of shape lies between a Sigmoid and a value. */
function isProbability({ nodes }: Graph, value: string): boolean {
  const producer = nodes.find(({ outputs }) => outputs.includes(value));
  if (producer === undefined) return false;
  if (['Reshape', 'Transpose', 'Identity'].includes(producer.opType)) {
    return isProbability({ nodes } as Graph, producer.inputs[0]);
  }
  return producer.opType === 'Sigmoid';
}
