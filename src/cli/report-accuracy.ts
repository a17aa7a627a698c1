import { readFile } from 'node:fs/promises';
import { LcqError } from '../errors.js';
import { type Classify, evaluateClassification } from '../evaluation/classification.js';
import { type Thumbnail, thumbnail } from '../image/thumbnail.js';
import type { Answer, Answers } from '../report/accuracy-section.js';
import type { AccuracyReport } from '../report/page.js';
import { wrongGroups } from '../report/wrong-examples.js';
import type { ClassificationConfig } from '../repository/model-config.js';
import type { ModelDefinition } from '../repository/repository.js';
import { type LabelledFile, listClassFolders } from '../training/class-folders.js';
import { softmax } from '../vision/softmax.js';
import { topK } from '../vision/top-k.js';
import { LIMITS, openModel } from './open-model.js';
import { classifier } from './picture-classifier.js';
import { createProgress } from './progress.js';

/** The longer side of a picture on the page, in pixels: twice what it takes there. */
const THUMBNAIL = 256;

interface Settings {
  readonly batch: number;
  readonly threads: number;
  /** Wrong answers to show of each kind. */
  readonly examples: number;
}

/** Measures accuracy on labelled pictures and gathers wrong answers; undefined if `folder` has no class folders. */
export async function reportAccuracy(
  model: ModelDefinition,
  baseline: ModelDefinition | undefined,
  folder: string,
  settings: Settings,
): Promise<AccuracyReport | undefined> {
  const files = await labelledFiles(folder);
  if (files.length === 0) return undefined;
  const quantized = await answers(model, files, settings);
  const fullPrecision = baseline && (await answers(baseline, files, settings));
  const comparison = { quantized, fullPrecision };
  const wrong = wrongGroups(files, comparison, settings.examples);
  const shown = wrong.flatMap(({ examples }) => examples.map(({ file }) => file.path));
  const thumbnails = new Map<string, Thumbnail>();
  for (const path of shown) {
    thumbnails.set(path, await thumbnail(await readFile(path), THUMBNAIL, LIMITS));
  }
  return { comparison, wrong, thumbnails };
}

/** None if all images lie in the folder itself. */
async function labelledFiles(folder: string): Promise<LabelledFile[]> {
  try {
    return await listClassFolders(folder);
  } catch (error) {
    if (error instanceof LcqError && error.code === 'NOT_FOUND') return [];
    throw error;
  }
}

async function answers(
  definition: ModelDefinition,
  files: readonly LabelledFile[],
  { batch, threads }: Settings,
): Promise<Answers> {
  const { labels, config, name } = definition;
  const model = await openModel(definition, threads);
  const progress = createProgress(name, files.length);
  try {
    const classify = classifier(model);
    const best: Answer[] = [];
    const noting: Classify = async (part) => {
      const outputs = await classify(part);
      for (const output of outputs) best.push(bestAnswer(output, labels, config));
      return outputs;
    };
    const result = await evaluateClassification(files, labels, noting, batch, (done) =>
      progress.update(done, 'images'),
    );
    return { result, best };
  } finally {
    progress.stop();
    await model.session.dispose();
  }
}

function bestAnswer(
  output: ArrayLike<number>,
  labels: readonly string[],
  config: ModelDefinition['config'],
): Answer {
  const { activation } = (config as ClassificationConfig).output;
  const [{ index, score }] = topK(activation === 'softmax' ? softmax(output) : output, 1);
  return { label: labels[index] ?? '', score };
}
