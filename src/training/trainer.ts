import { LcqError } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { advance, type Checkpoint, stateOf } from './checkpoint.js';
import { ForwardExecutor, StepExecutor } from './executor.js';
import { Random } from './random.js';
import { buildForwardGraph, buildStepGraph, type OptimizerSettings } from './step-graph.js';
import type { Task } from './tasks/task.js';
import { checkTrainable } from './trainable.js';

export interface TrainingSettings {
  readonly epochs: number;
  readonly batch: number;
  /** The highest learning rate: reached after the warm-up, then a half cosine down to zero. */
  readonly rate: number;
  readonly warmupEpochs: number;
  readonly seed: number;
  /** Weight of the teacher's output in the target, 0 to 1; needs a teacher. */
  readonly distillation: number;
  readonly optimizer: OptimizerSettings;
}

export interface StepReport {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  /** Share of the epoch's training images so far that the network got right, 0 to 1, if the task tells. */
  readonly accuracy: number | undefined;
  /** Mean loss of the epoch so far. */
  readonly epochLoss: number;
  readonly endOfEpoch: boolean;
}

export interface TrainerOptions {
  readonly threads: number;
  /** A full-precision forward graph of the same task. */
  readonly teacher?: Graph;
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
 * @throws LcqError INTERNAL if the loss stops being finite, INVALID_ARGUMENT for fewer images than one batch, and as
 * checkTrainable does
 */
export async function train(
  start: Checkpoint,
  task: Task,
  settings: TrainingSettings,
  options: TrainerOptions,
): Promise<Checkpoint> {
  const { batch, seed } = settings;
  const perEpoch = Math.floor(task.count / batch);
  const steps = perEpoch * settings.epochs;
  if (perEpoch === 0) {
    const message = `${task.count} training images are fewer than one batch of ${batch}`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  checkTrainable('network', start.graph, task);
  if (options.teacher) checkTrainable('teacher', options.teacher, task);
  const graph = buildStepGraph(start.graph, batch, task, settings.optimizer);
  const executor = await StepExecutor.create(graph, stateOf(start), options.threads);
  const shape = [batch, ...task.imageSize, 3];
  const teacher = options.teacher
    ? await ForwardExecutor.create(buildForwardGraph(options.teacher, shape), options.threads)
    : undefined;
  let step = start.step;
  let order: Uint32Array = new Uint32Array();
  let [right, seen, lossSum] = [0, 0, 0];
  try {
    for (; step < steps; ) {
      const epoch = Math.floor(step / perEpoch);
      const within = step % perEpoch;
      if (within === 0 || !order.length) {
        order = new Random(seed, epoch).permutation(task.count);
        [right, seen, lossSum] = [0, 0, 0];
      }
      const indices = order.subarray(within * batch, (within + 1) * batch);
      const random = new Random(seed, epoch, within);
      const { pixels, target } = task.batch(indices, random);
      const taught = (await teacher?.run(pixels))?.output;
      const aim = taught ? task.distil(target, taught, settings.distillation) : target;
      const rate = rateAt(step, perEpoch, settings);
      const { loss, output } = await executor.step({ pixels, target: aim }, rate);
      if (!Number.isFinite(loss)) {
        throw new LcqError('INTERNAL', `training diverged at step ${step}: the loss is ${loss}`);
      }
      right += task.countRight?.(output, target) ?? 0;
      seen += batch;
      lossSum += loss;
      step++;
      const report = {
        step,
        steps,
        epoch: epoch + 1,
        epochs: settings.epochs,
        loss,
        accuracy: task.countRight && right / seen,
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
