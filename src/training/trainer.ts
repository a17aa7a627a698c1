import { LcqError } from '../errors.js';
import { augmentedBatch, plainBatch } from './batches.js';
import { advance, type Checkpoint, stateOf } from './checkpoint.js';
import { ForwardExecutor, StepExecutor } from './executor.js';
import type { LabelledImages } from './image-folder.js';
import { PIXEL_ZERO } from './networks/resnet.js';
import { Random } from './random.js';
import { buildForwardGraph, buildStepGraph, type OptimizerSettings } from './step-graph.js';

export interface TrainingSettings {
  readonly epochs: number;
  readonly batch: number;
  /** The highest learning rate: reached after the warm-up, then a half cosine down to zero. */
  readonly rate: number;
  readonly warmupEpochs: number;
  /** Random shift of the images, pixels. */
  readonly shift: number;
  readonly seed: number;
  /** Weight of the teacher's probabilities in the target, 0 to 1; needs a teacher. */
  readonly distillation: number;
  readonly optimizer: OptimizerSettings;
}

export interface StepReport {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  /** Share of the epoch's training images so far that were classified rightly, 0 to 1. */
  readonly accuracy: number;
  /** Mean loss of the epoch so far. */
  readonly epochLoss: number;
  readonly endOfEpoch: boolean;
}

export interface TrainerOptions {
  readonly threads: number;
  /** A full-precision forward graph of the same classes. */
  readonly teacher?: Checkpoint;
  /** Called after each step; may ask for a checkpoint with `snapshot`, and stops the run by returning false. */
  readonly onStep: (report: StepReport, snapshot: () => Checkpoint) => Promise<boolean>;
}

/** The learning rate of a step: linear warm-up, then half a cosine. */
export function rateAt(step: number, perEpoch: number, s: TrainingSettings): number {
  const warmup = Math.round(s.warmupEpochs * perEpoch);
  if (step < warmup) return (s.rate * (step + 1)) / warmup;
  const progress = (step - warmup) / Math.max(1, s.epochs * perEpoch - warmup);
  return s.rate * 0.5 * (1 + Math.cos(Math.PI * progress));
}

/**
 * Trains from a checkpoint to the end of the schedule. Order and augmentation of step n depend on the seed and n alone,
 * so a run that was stopped and resumed equals one that was not.
 * @throws LcqError INTERNAL if the loss stops being finite, INVALID_ARGUMENT for fewer images than one batch
 */
export async function train(
  start: Checkpoint,
  images: LabelledImages,
  settings: TrainingSettings,
  options: TrainerOptions,
): Promise<Checkpoint> {
  const { batch, seed } = settings;
  const shape = [batch, images.height, images.width, 3];
  const classes = images.classes.length;
  const perEpoch = Math.floor(images.count / batch);
  const steps = perEpoch * settings.epochs;
  if (perEpoch === 0) {
    const message = `${images.count} training images are fewer than one batch of ${batch}`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  const graph = buildStepGraph(start.graph, shape, classes, settings.optimizer);
  const executor = await StepExecutor.create(graph, stateOf(start), options.threads);
  const teacher = options.teacher
    ? await ForwardExecutor.create(buildForwardGraph(options.teacher.graph, shape), options.threads)
    : undefined;
  let step = start.step;
  let order: Uint32Array = new Uint32Array();
  let [right, seen, lossSum] = [0, 0, 0];
  try {
    for (; step < steps; ) {
      const epoch = Math.floor(step / perEpoch);
      const within = step % perEpoch;
      if (within === 0 || !order.length) {
        order = new Random(seed, epoch).permutation(images.count);
        [right, seen, lossSum] = [0, 0, 0];
      }
      const indices = order.subarray(within * batch, (within + 1) * batch);
      const random = new Random(seed, epoch, within);
      const data = augmentedBatch(images, indices, random, settings.shift, PIXEL_ZERO);
      const target = oneHot(data.labels, classes);
      if (teacher)
        blend(target, (await teacher.run(data.pixels)).logits, classes, settings.distillation);
      const { loss, logits } = await executor.step(data, target, rateAt(step, perEpoch, settings));
      if (!Number.isFinite(loss)) {
        throw new LcqError('INTERNAL', `training diverged at step ${step}: the loss is ${loss}`);
      }
      right += countRight(logits, data.labels, classes);
      seen += batch;
      lossSum += loss;
      step++;
      const report = {
        step,
        steps,
        epoch: epoch + 1,
        epochs: settings.epochs,
        loss,
        accuracy: right / seen,
        epochLoss: (lossSum * batch) / seen,
        endOfEpoch: step % perEpoch === 0,
      };
      if (!(await options.onStep(report, () => advance(start, executor.state(), step)))) break;
    }
    return advance(start, executor.state(), step);
  } finally {
    await executor.release();
    await teacher?.release();
  }
}

/** Share of the images that the forward graph classifies rightly, 0 to 1. */
export async function accuracyOf(
  checkpoint: Checkpoint,
  images: LabelledImages,
  batch: number,
  threads: number,
): Promise<number> {
  const classes = images.classes.length;
  const shape = [batch, images.height, images.width, 3];
  const executor = await ForwardExecutor.create(
    buildForwardGraph(checkpoint.graph, shape),
    threads,
  );
  let right = 0;
  try {
    for (let from = 0; from < images.count; from += batch) {
      const size = Math.min(batch, images.count - from);
      // The last batch is filled up with its first image.
      const indices = Array.from({ length: batch }, (_, i) => (i < size ? from + i : from));
      const { pixels, labels } = plainBatch(images, indices);
      const { logits } = await executor.run(pixels);
      right += countRight(logits.subarray(0, size * classes), labels, classes);
    }
  } finally {
    await executor.release();
  }
  return right / images.count;
}

function oneHot(labels: Uint16Array, classes: number): Float32Array {
  const target = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => {
    target[i * classes + label] = 1;
  });
  return target;
}

/** Moves the target towards the teacher's softmax: cross-entropy is linear in its target. */
function blend(target: Float32Array, logits: Float32Array, classes: number, share: number): void {
  for (let row = 0; row < target.length; row += classes) {
    const scores = logits.subarray(row, row + classes);
    const top = Math.max(...scores);
    let sum = 0;
    for (const score of scores) sum += Math.exp(score - top);
    scores.forEach((score, c) => {
      target[row + c] = (1 - share) * target[row + c] + (share * Math.exp(score - top)) / sum;
    });
  }
}

function countRight(logits: Float32Array, labels: Uint16Array, classes: number): number {
  let right = 0;
  for (let i = 0; i * classes < logits.length; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (logits[i * classes + c] > logits[i * classes + best]) best = c;
    }
    if (best === labels[i]) right++;
  }
  return right;
}
