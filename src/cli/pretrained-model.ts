import { readdir, readFile } from 'node:fs/promises';
import { LcqError } from '../errors.js';
import { readCocoDataset } from '../evaluation/coco-annotations.js';
import type { Model } from '../onnx/graph.js';
import type { ModelConfig } from '../repository/model-config.js';
import { parseLabels } from '../repository/repository.js';
import { classifierConfig, type Preprocessing } from './classifier-config.js';
import { type Detector, detectorConfig } from './detector-config.js';

/** What a pretrained file leaves open: its preprocessing, and names of its classes. */
export interface PretrainedOptions extends Partial<Preprocessing> {
  /** The folder of calibration images, which may name classes. */
  readonly data: string;
  readonly labels?: string;
  /** The head of a detector; a classifier has none. */
  readonly detector?: Detector;
}

export interface PretrainedModel {
  readonly config: ModelConfig;
  readonly labels: readonly string[] | undefined;
}

/** How a pretrained file is served. Rejects as `classifierConfig` and `detectorConfig` do, or naming the labels. */
export async function describePretrained(
  model: Model,
  { data, labels: path, detector, scale, mean, std, resize }: PretrainedOptions,
): Promise<PretrainedModel> {
  const preprocessing = {
    ...(scale !== undefined && { scale }),
    ...(mean && { mean }),
    ...(std && { std }),
    ...(resize && { resize }),
  };
  const given = path ? await readLabels(path) : undefined;
  if (!detector) {
    return {
      config: classifierConfig(model, preprocessing),
      labels: given ?? (await foldersOf(data)),
    };
  }
  const { config, classes } = detectorConfig(model, detector, preprocessing);
  if (given && given.length !== classes) {
    const message = `--labels has ${given.length} classes, the model ${classes}`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return { config, labels: given ?? (await categoriesOf(data, classes)) };
}

async function readLabels(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new LcqError('NOT_FOUND', `labels '${path}' cannot be read`, { cause });
  });
  return parseLabels(text);
}

/** The class folders of the images, if they are in such. */
async function foldersOf(data: string): Promise<string[] | undefined> {
  const entries = await readdir(data, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return folders.length > 1 ? folders.sort() : undefined;
}

/** The categories of images in the form of COCO, if they are as many as the classes: those have their order. */
async function categoriesOf(data: string, classes: number): Promise<string[] | undefined> {
  const files = await readdir(data);
  if (!files.includes('annotations.json')) return undefined;
  const { categories } = await readCocoDataset(data);
  const byId = [...categories].sort(([a], [b]) => a - b).map(([, name]) => name);
  return byId.length === classes ? byId : undefined;
}
