import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { LcqError } from '../errors.js';
import { GRID_CELLS } from '../lcq/grid.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
import type { Graph } from '../onnx/graph.js';
import { type CalibrationSettings, calibrateClips, observe } from '../quantization/calibrate.js';
import { exportModel } from '../quantization/export.js';
import {
  activationBits,
  DEFAULT_INTERVALS,
  insertQuantizers,
  parseBits,
} from '../quantization/insert.js';
import { rangedValues } from '../quantization/layer-ending.js';
import { fullPrecisionModel } from '../quantization/publish.js';
import { isQuantized, quantizerInputs, requantize } from '../quantization/requantize.js';
import type { Checkpoint } from '../training/checkpoint.js';
import type { Images } from '../training/images.js';
import { RunFolder } from '../training/run-folder.js';
import { checkTrainable } from '../training/trainable.js';
import { type TrainerOptions, type TrainingSettings, train } from '../training/trainer.js';
import { nonNegative, positiveInteger, share } from './options.js';
import { createProgress, type Progress } from './progress.js';
import { readTrainedNetwork } from './trained-network.js';
import {
  CLASSIFIERS,
  DETECTORS,
  type NetworkName,
  type ScheduleDefaults,
  type TrainingJob,
  trainingJob,
} from './training-job.js';

const CHECKPOINT_INTERVAL_MS = 60_000;
const CALIBRATION = { images: 1024, batch: 128 };

interface Options extends Partial<ScheduleDefaults> {
  data: string;
  out: string;
  network?: NetworkName;
  from?: string;
  bits?: string;
  companding: boolean;
  weightNormalization: boolean;
  chainGradient: boolean;
  teacher?: string;
  distillation: number;
  warmup: number;
  seed: number;
  threads: number;
  evaluateEvery: number;
  publish?: string;
  resume: boolean;
}

export const command = new Command('train')
  .description('train a classifier or a detector, in full precision or quantized')
  .requiredOption(
    '--data <dir>',
    'train/CLASS/*.jpg and test/CLASS/*.jpg; marked pictures: Pascal VOC, or COCO in train/ and val/',
  )
  .requiredOption('--out <dir>', 'folder of the run: last.onnx (checkpoint) and log.jsonl')
  .addOption(
    new Option(
      '--network <name>',
      `network to train from scratch: ${CLASSIFIERS[0]} or ${DETECTORS[0]}, by the data`,
    ).choices([...CLASSIFIERS, ...DETECTORS]),
  )
  .option('--from <network>', 'start from a checkpoint or a servable full-precision model')
  .option(
    '--bits <wXaY>',
    'quantize the network of --from to 2, 3 or 4 bits, e.g. w2a2; one that is quantized, to fewer',
  )
  .option('--no-companding', 'leave the levels of quantizers uniform')
  .option('--no-weight-normalization', 'quantize weights as they are instead of normalized')
  .option('--chain-gradient', "the input's gradient goes through the compander", false)
  .option('--teacher <network>', 'checkpoint or servable model whose outputs are learned as well')
  .option('--distillation <share>', "weight of the teacher's outputs, 0 to 1", share, 0.5)
  .option('--epochs <n>', 'passes over the training images (20; detection 80)', positiveInteger)
  .option('--batch <n>', 'images a step (128; detection 8)', positiveInteger)
  .option('--rate <r>', 'highest learning rate (0.2; detection 0.05)', nonNegative)
  .option('--warmup <epochs>', 'epochs of linear warm-up', nonNegative, 2)
  .option('--weight-decay <d>', 'L2 decay of the weights (5e-4)', nonNegative)
  .option(
    '--seed <n>',
    'seed of the initial weights, the order and the augmentation',
    positiveInteger,
    1,
  )
  .option('--threads <n>', 'threads of the runtime', positiveInteger, availableParallelism())
  .option(
    '--evaluate-every <n>',
    'epochs between figures on files that are not trained on',
    positiveInteger,
    1,
  )
  .option('--publish <dir>', 'write the trained network as a servable model, REPOSITORY/NAME')
  .option('--resume', 'go on from last.onnx in --out, with the settings it was started with', false)
  .action(run);

async function run(options: Options): Promise<void> {
  const { run, resumed } = await openRun(options);
  const job = await trainingJob(options.data, options.network, options.threads);
  const start = resumed ?? (await initial(options, job));
  checkClasses('the run', start.classes, job);
  const teacher = options.teacher && (await trained('--teacher', options.teacher, job));

  const settings = JSON.parse(start.settings) as TrainingSettings;
  const steps = Math.floor(job.task.count / settings.batch) * settings.epochs;
  const progress = createProgress('train', steps, start.step);
  const end = await train(start, job.task, settings, {
    threads: options.threads,
    onStep: reporter(options, run, job, progress),
    ...(teacher ? { teacher } : {}),
  });
  progress.stop();
  await run.save(end);
  if (end.step < steps) {
    console.error('stopped; go on with --resume');
    return;
  }
  console.error(`done: ${run.checkpointPath}`);
  if (options.publish) {
    await publishTrained(end, job, options.publish, options);
    console.error(`published: ${options.publish}`);
  }
}

async function openRun({
  out,
  resume,
}: Options): Promise<{ run: RunFolder; resumed?: Checkpoint }> {
  if (!resume) return { run: await RunFolder.create(out) };
  const { run, checkpoint } = await RunFolder.open(out);
  return { run, resumed: checkpoint };
}

/** A network that an option names. */
async function trained(option: string, path: string, job: TrainingJob): Promise<Graph> {
  const { graph, classes } = await readTrainedNetwork(path);
  const network = job.trainable(graph);
  checkClasses(option, classes, job);
  checkTrainable(`network of ${option}`, network, job.task);
  return network;
}

function checkClasses(what: string, classes: readonly string[], job: TrainingJob): void {
  if (classes.join() === job.classes.join()) return;
  throw new LcqError(
    'INVALID_ARGUMENT',
    `${what} has the classes ${classes}; --data has ${job.classes}`,
  );
}

/** Shows progress, saves checkpoints, evaluates after epochs, and stops the run on SIGINT and SIGTERM. */
function reporter(
  options: Options,
  run: RunFolder,
  { evaluate, figure }: TrainingJob,
  progress: Progress,
): TrainerOptions['onStep'] {
  let stopping = false;
  const stop = () => {
    stopping = true;
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const began = performance.now();
  let saved = began;
  return async (report, snapshot) => {
    const { epoch, epochs, epochLoss: loss, accuracy: trainAccuracy } = report;
    const right = trainAccuracy === undefined ? '' : `, accuracy ${percent(trainAccuracy)}`;
    const note = `epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}${right}`;
    progress.update(report.step, note);
    if (!report.endOfEpoch && performance.now() - saved < CHECKPOINT_INTERVAL_MS) return !stopping;
    const checkpoint = snapshot();
    await run.save(checkpoint);
    saved = performance.now();
    if (!report.endOfEpoch) return !stopping;
    const due = epoch % options.evaluateEvery === 0 || epoch === epochs;
    const measured = due ? await evaluate(checkpoint.graph) : undefined;
    progress.line(due ? `${note}, ${figure.name} ${percent(measured as number)}` : note);
    const seconds = Math.round((performance.now() - began) / 1000);
    // JSON leaves out what is undefined.
    await run.log({ epoch, loss, trainAccuracy, [figure.key]: measured, seconds });
    return !stopping;
  };
}

function settingsOf(options: Options, defaults: ScheduleDefaults): TrainingSettings {
  const { epochs, batch, rate, weightDecay } = { ...defaults, ...options };
  return {
    epochs,
    batch,
    rate,
    warmupEpochs: options.warmup,
    seed: options.seed,
    distillation: options.distillation,
    optimizer: {
      momentum: 0.9,
      weightDecay,
      rateScale: {
        weight: 1,
        affine: 1,
        clip: 0.1,
        compander: options.companding ? 1 : 0,
        statistic: 0,
      },
    },
  };
}

async function initial(options: Options, job: TrainingJob): Promise<Checkpoint> {
  const graph = options.from
    ? await trained('--from', options.from, job)
    : job.network(options.seed);
  return {
    graph: options.bits ? await quantized(graph, options.bits, job.images, options) : graph,
    momenta: new Map(),
    step: 0,
    classes: job.classes,
    settings: JSON.stringify(settingsOf(options, job.defaults)),
  };
}

async function quantized(
  graph: Graph,
  bitsText: string,
  images: Images,
  { seed, threads, chainGradient, weightNormalization }: Options,
): Promise<Graph> {
  const bits = parseBits(bitsText);
  const calibration = calibrationOn(images, seed, threads);
  const again = isQuantized(graph);
  const activations = again
    ? quantizerInputs(graph, bits.activationBits)
    : activationBits(graph, bits.activationBits);
  const clips = await calibrateClips(graph, activations, images, calibration);
  if (again) return requantize(graph, bits, clips);
  const settings = {
    ...bits,
    intervals: DEFAULT_INTERVALS,
    cells: GRID_CELLS,
    chainGradient,
    weightNormalization,
  };
  return insertQuantizers(graph, settings, clips);
}

/** As many training images as there are, up to the usual number. */
function calibrationOn(images: Images, seed: number, threads: number): CalibrationSettings {
  const batch = Math.min(CALIBRATION.batch, images.count);
  return { images: CALIBRATION.images, batch, seed, threads };
}

async function publishTrained(
  { graph }: Checkpoint,
  job: TrainingJob,
  folder: string,
  { seed, threads }: Options,
): Promise<void> {
  const { images } = job;
  const imageSize = [images.height, images.width] as const;
  const served = job.served(graph);
  if (!graph.nodes.some((node) => node.domain === TRAINING_DOMAIN)) {
    return job.publish(folder, fullPrecisionModel(served, imageSize));
  }
  const calibration = calibrationOn(images, seed, threads);
  const observed = await observe(graph, rangedValues(served), images, calibration);
  const ranges = new Map([...observed].map(([name, { largest }]) => [name, largest]));
  return job.publish(folder, exportModel(served, imageSize, ranges));
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
