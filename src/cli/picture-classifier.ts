import type { Classify } from '../evaluation/classification.js';
import type { ClassificationConfig } from '../repository/model-config.js';
import type { OpenModel } from './open-model.js';

/** What a model that is open gives for picture files: its output as it is, logits or scores. */
export function classifier({ definition, runPictures }: OpenModel): Classify {
  const { output } = definition.config as ClassificationConfig;
  return async (files) => {
    const { outputs } = await runPictures(files.map(({ path }) => path));
    const { shape, data } = outputs[output.name];
    const scores = data as Float32Array;
    const classes = shape[1];
    return files.map((_, i) => scores.subarray(i * classes, (i + 1) * classes));
  };
}
