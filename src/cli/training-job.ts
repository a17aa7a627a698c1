import { LcqError } from '../errors.js';
import { marksObjects } from '../evaluation/marked-pictures.js';
import type { Graph, Model } from '../onnx/graph.js';
import type { Images } from '../training/images.js';
import type { Task } from '../training/tasks/task.js';
import { classifierJob } from './classifier-job.js';
import { detectorJob } from './detector-job.js';

export const CLASSIFIERS = ['resnet20', 'resnet56'] as const;
export const DETECTORS = ['one-stage-detector'] as const;

export type NetworkName = (typeof CLASSIFIERS)[number] | (typeof DETECTORS)[number];

/** How long and how fast a task is trained where the command does not say. */
export interface ScheduleDefaults {
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly weightDecay: number;
}

/** What depends on whether a classifier or a detector is trained. */
export interface TrainingJob {
  readonly task: Task;
  readonly classes: readonly string[];
  /** The training images as they are, to calibrate on. */
  readonly images: Images;
  readonly defaults: ScheduleDefaults;
  /** What `evaluate` measures: as it is shown, and its key in log.jsonl. */
  readonly figure: { readonly name: string; readonly key: 'testAccuracy' | 'valAp50' };
  /** The network to start from. */
  network(seed: number): Graph;
  /** The figure of a forward graph on files that are not trained on, 0 to 1. */
  evaluate(graph: Graph): Promise<number>;
  /** A trained graph as it is served, and a served one as it is trained; a trained one stays. */
  served(graph: Graph): Graph;
  trainable(graph: Graph): Graph;
  publish(folder: string, model: Model): Promise<void>;
}

/** The job that the form of the data asks for. Rejects with LcqError INVALID_ARGUMENT if the network is for another. */
export async function trainingJob(
  data: string,
  network: NetworkName | undefined,
  threads: number,
): Promise<TrainingJob> {
  const detects = await marksObjects(data);
  const detector = DETECTORS.find((name) => name === network);
  const classifier = CLASSIFIERS.find((name) => name === network);
  if (detects ? classifier : detector) {
    const form = detects ? 'marked pictures' : 'class folders';
    throw new LcqError('INVALID_ARGUMENT', `--network ${network} does not learn from ${form}`);
  }
  return detects
    ? detectorJob(data, threads)
    : classifierJob(data, classifier ?? CLASSIFIERS[0], threads);
}
