import { LcqError } from '../errors.js';
import { softmax } from '../vision/softmax.js';
import { topK } from '../vision/top-k.js';
import type { Caller } from './caller.js';
import type { ModelReference } from './model-reference.js';
import type { Servable } from './servable.js';

export interface ClassifyRequest extends ModelReference {
  /** An encoded picture. */
  readonly image: Uint8Array;
  /** How many predictions, >= 1; 5 when absent. More than there are classes means all. */
  readonly topK?: number | undefined;
}

export interface Prediction {
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

export interface Classification {
  readonly model: string;
  readonly version: string;
  /** Best first. Of a softmax model the scores add up to at most 1. */
  readonly predictions: readonly Prediction[];
}

const DEFAULT_TOP_K = 5;

/** Labels and scores of one picture. Rejects with INVALID_ARGUMENT if the model's task is another. */
export async function classifyPicture(
  servable: Servable,
  { image, topK: count = DEFAULT_TOP_K }: Pick<ClassifyRequest, 'image' | 'topK'>,
  caller: Caller,
): Promise<Classification> {
  const { name, definition } = servable;
  const { config, labels } = definition;
  if (config.task !== 'classification') {
    const message = `model '${name}' does ${config.task}, not classification`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  const outputs = await servable.runPicture(image, caller);
  return servable.postprocess(() => {
    // checkSession: FP32 [N, classes]
    const values = outputs[config.output.name].data as Float32Array;
    const scores = config.output.activation === 'softmax' ? softmax(values) : values;
    const predictions = topK(scores, count).map(({ index, score }) => {
      return { index, label: labels[index] ?? '', score };
    });
    return { ...servable.labels, predictions };
  }, caller);
}
