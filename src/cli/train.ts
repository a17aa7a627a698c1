import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { LcqError } from '../errors.js';
import { GRID_CELLS } from '../lcq/grid.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
import type { Graph } from '../onnx/graph.js';
import { type CalibrationSettings, calibrateClips, observe } from '../quantization/calibrate.js';
import { exportModel } from '../quantization/export.js';
import {
  DEFAULT_INTERVALS,
  insertQuantizers,
  parseBits,
  quantizedActivations,
} from '../quantization/insert.js';
import { rangedValues } from '../quantization/layer-ending.js';
import { fullPrecisionModel, publish } from '../quantization/publish.js';
import { isQuantized, quantizerInputs, requantize } from '../quantization/requantize.js';
import { type Checkpoint, readCheckpoint } from '../training/checkpoint.js';
import { type LabelledImages, readImageFolder } from '../training/image-folder.js';
import { cifarResNet } from '../training/networks/resnet.js';
import { RunFolder } from '../training/run-folder.js';
import {
  accuracyOf,
  type TrainerOptions,
  type TrainingSettings,
  train,
} from '../training/trainer.js';
import { nonNegative, positiveInteger, share } from './options.js';
import { createProgress, type Progress } from './progress.js';

const IMAGE_SIZE = 32;
const CHECKPOINT_INTERVAL_MS = 60_000;
const EVALUATION_BATCH = 250;
const CALIBRATION = { images: 1024, batch: 128 };

interface Options {
  data: string;
  out: string;
  network: 'resnet20' | 'resnet56';
  from?: string;
  bits?: string;
  teacher?: string;
  distillation: number;
  epochs: number;
  batch: number;
  rate: number;
  warmup: number;
  weightDecay: number;
  seed: number;
  threads: number;
  evaluateEvery: number;
  publish?: string;
  resume: boolean;
}

export const command = new Command('train')
  .description('train a classifier on a folder of class folders, in full precision or quantized')
  .requiredOption('--data <dir>', 'folder with train/CLASS/*.jpg and test/CLASS/*.jpg')
  .requiredOption('--out <dir>', 'folder of the run: last.onnx (checkpoint) and log.jsonl')
  .addOption(
    new Option('--network <name>', 'network to train from scratch')
      .choices(['resnet20', 'resnet56'])
      .default('resnet20'),
  )
  .option('--from <checkpoint>', 'start from the parameters of an earlier run')
  .option(
    '--bits <wXaY>',
    'quantize the network of --from to 2, 3 or 4 bits, e.g. w2a2; one that is quantized, to fewer',
  )
  .option('--teacher <checkpoint>', 'full-precision network whose outputs are learned as well')
  .option('--distillation <share>', "weight of the teacher's outputs, 0 to 1", share, 0.5)
  .option('--epochs <n>', 'passes over the training images', positiveInteger, 20)
  .option('--batch <n>', 'images a step', positiveInteger, 128)
  .option('--rate <r>', 'highest learning rate', nonNegative, 0.2)
  .option('--warmup <epochs>', 'epochs of linear warm-up', nonNegative, 2)
  .option('--weight-decay <d>', 'L2 decay of the weights', nonNegative, 5e-4)
  .option(
    '--seed <n>',
    'seed of the initial weights, the order and the augmentation',
    positiveInteger,
    1,
  )
  .option('--threads <n>', 'threads of the runtime', positiveInteger, availableParallelism())
  .option('--evaluate-every <n>', 'epochs between accuracies on the test files', positiveInteger, 1)
  .option('--publish <dir>', 'write the trained network as a servable model, REPOSITORY/NAME')
  .option('--resume', 'go on from last.onnx in --out, with the settings it was started with', false)
  .action(run);

async function run(options: Options): Promise<void> {
  const { run, resumed } = await openRun(options);
  const images = await load(options, 'train');
  const test = await load(options, 'test');
  const start = resumed ?? (await initial(options, images, settingsOf(options)));
  checkClasses('--data', images.classes, start);
  const teacher = options.teacher ? await readCheckpoint(options.teacher) : undefined;
  if (teacher) checkClasses('--teacher', teacher.classes, start);

  const settings = JSON.parse(start.settings) as TrainingSettings;
  const steps = Math.floor(images.count / settings.batch) * settings.epochs;
  const progress = createProgress('train', steps, start.step);
  const end = await train(start, images, settings, {
    threads: options.threads,
    onStep: reporter(options, run, test, progress),
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
    await publishTrained(end, images, options.publish, options);
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

function checkClasses(option: string, classes: readonly string[], start: Checkpoint): void {
  if (classes.join() === start.classes.join()) return;
  throw new LcqError(
    'INVALID_ARGUMENT',
    `${option} has the classes ${classes}; the checkpoint has ${start.classes}`,
  );
}

/** Shows progress, saves checkpoints, evaluates after epochs, and stops the run on SIGINT and SIGTERM. */
function reporter(
  options: Options,
  run: RunFolder,
  test: LabelledImages,
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
    const figures = `loss ${loss.toFixed(4)}, accuracy ${percent(trainAccuracy)}`;
    const note = `epoch ${epoch}/${epochs}, ${figures}`;
    progress.update(report.step, note);
    if (!report.endOfEpoch && performance.now() - saved < CHECKPOINT_INTERVAL_MS) return !stopping;
    const checkpoint = snapshot();
    await run.save(checkpoint);
    saved = performance.now();
    if (!report.endOfEpoch) return !stopping;
    const due = epoch % options.evaluateEvery === 0 || epoch === epochs;
    const batch = Math.min(EVALUATION_BATCH, test.count);
    const testAccuracy = due
      ? await accuracyOf(checkpoint, test, batch, options.threads)
      : undefined;
    progress.line(due ? `${note}, test ${percent(testAccuracy as number)}` : note);
    const seconds = Math.round((performance.now() - began) / 1000);
    // JSON leaves out what is undefined.
    await run.log({ epoch, loss, trainAccuracy, testAccuracy, seconds });
    return !stopping;
  };
}

function settingsOf(options: Options): TrainingSettings {
  return {
    epochs: options.epochs,
    batch: options.batch,
    rate: options.rate,
    warmupEpochs: options.warmup,
    shift: 4,
    seed: options.seed,
    distillation: options.distillation,
    optimizer: {
      momentum: 0.9,
      weightDecay: options.weightDecay,
      rateScale: { weight: 1, affine: 1, clip: 0.1, compander: 1, statistic: 0 },
    },
  };
}

async function initial(
  options: Options,
  images: LabelledImages,
  settings: TrainingSettings,
): Promise<Checkpoint> {
  const { classes } = images;
  const depth = Number(options.network.replace('resnet', ''));
  const graph = options.from
    ? (await readCheckpoint(options.from)).graph
    : cifarResNet(depth, classes.length, IMAGE_SIZE, options.seed);
  return {
    graph: options.bits ? await quantized(graph, options.bits, images, options) : graph,
    momenta: new Map(),
    step: 0,
    classes,
    settings: JSON.stringify(settings),
  };
}

async function quantized(
  graph: Graph,
  bitsText: string,
  images: LabelledImages,
  { seed, threads }: Options,
): Promise<Graph> {
  const bits = parseBits(bitsText);
  const calibration = calibrationOn(images, seed, threads);
  const again = isQuantized(graph);
  const activations = again ? quantizerInputs(graph) : quantizedActivations(graph);
  const clips = await calibrateClips(graph, activations, bits.activationBits, images, calibration);
  if (again) return requantize(graph, bits, clips);
  const settings = {
    ...bits,
    intervals: DEFAULT_INTERVALS,
    cells: GRID_CELLS,
    chainGradient: false,
  };
  return insertQuantizers(graph, settings, clips);
}

/** As many training images as there are, up to the usual number. */
function calibrationOn(images: LabelledImages, seed: number, threads: number): CalibrationSettings {
  const batch = Math.min(CALIBRATION.batch, images.count);
  return { images: CALIBRATION.images, batch, seed, threads };
}

async function publishTrained(
  { graph, classes }: Checkpoint,
  images: LabelledImages,
  folder: string,
  { seed, threads }: Options,
): Promise<void> {
  const imageSize = [images.height, images.width] as const;
  if (!graph.nodes.some((node) => node.domain === TRAINING_DOMAIN)) {
    const model = fullPrecisionModel(graph, imageSize);
    return publish(folder, { model, labels: classes, imageSize });
  }
  const calibration = calibrationOn(images, seed, threads);
  const observed = await observe(graph, rangedValues(graph), images, calibration);
  const ranges = new Map([...observed].map(([name, { largest }]) => [name, largest]));
  const model = exportModel(graph, imageSize, ranges);
  return publish(folder, { model, labels: classes, imageSize });
}

async function load(options: Options, part: 'train' | 'test'): Promise<LabelledImages> {
  let progress: ReturnType<typeof createProgress> | undefined;
  const images = await readImageFolder(join(options.data, part), IMAGE_SIZE, (done, total) => {
    progress ??= createProgress(`decode ${part} images`, total);
    progress.update(done, 'images');
  });
  progress?.stop();
  return images;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
