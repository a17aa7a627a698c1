import { LcqError } from '../errors.js';
import type { LabelledFile } from '../training/class-folders.js';
import { topK } from '../vision/top-k.js';

export interface ClassAccuracy {
  readonly label: string;
  readonly count: number;
  /** Share of its images whose best class it is, 0 to 1. */
  readonly top1: number;
}

export interface ClassificationResult {
  readonly count: number;
  readonly top1: number;
  readonly top5: number;
  readonly classes: readonly ClassAccuracy[];
  /** The best class of each file, in their order. */
  readonly predictions: readonly number[];
}

/** Scores of some files, one array of all classes a file. */
export type Classify = (files: readonly LabelledFile[]) => Promise<readonly ArrayLike<number>[]>;

/**
 * Classifies files in batches and counts how often the label is first, or among the first five.
 * @param labels of the model, by class index; every file's label must be one of them
 * @throws LcqError INVALID_ARGUMENT naming a folder that is no class of the model
 */
export async function evaluateClassification(
  files: readonly LabelledFile[],
  labels: readonly string[],
  classify: Classify,
  batch: number,
  onProgress: (done: number) => void = () => {},
): Promise<ClassificationResult> {
  const indexOf = new Map(labels.map((label, i) => [label, i]));
  const unknown = files.find((file) => !indexOf.has(file.label));
  if (unknown) {
    throw new LcqError('INVALID_ARGUMENT', `folder '${unknown.label}' is no class of the model`);
  }
  const counts = labels.map(() => ({ count: 0, right: 0 }));
  const predictions: number[] = [];
  let amongFive = 0;
  for (let from = 0; from < files.length; from += batch) {
    const part = files.slice(from, from + batch);
    for (const [i, scores] of (await classify(part)).entries()) {
      const expected = indexOf.get(part[i].label) as number;
      const ranked = topK(scores, 5);
      counts[expected].count++;
      if (ranked[0].index === expected) counts[expected].right++;
      if (ranked.some(({ index }) => index === expected)) amongFive++;
      predictions.push(ranked[0].index);
    }
    onProgress(predictions.length);
  }
  const right = counts.reduce((sum, c) => sum + c.right, 0);
  return {
    count: files.length,
    top1: right / files.length,
    top5: amongFive / files.length,
    classes: labels.flatMap((label, i) => {
      const { count } = counts[i];
      return count > 0 ? [{ label, count, top1: counts[i].right / count }] : [];
    }),
    predictions,
  };
}

/** Share of the files on which two models have the same best class, 0 to 1. */
export function agreement(a: ClassificationResult, b: ClassificationResult): number {
  const same = a.predictions.filter((prediction, i) => prediction === b.predictions[i]).length;
  return same / a.count;
}
