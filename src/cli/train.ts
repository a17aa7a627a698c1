import { appendFile, mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { LcqError } from '../errors.js';
import { GRID_CELLS } from '../lcq/grid.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
import type { Graph } from '../onnx/graph.js';
import { calibrateClips, observe } from '../quantization/calibrate.js';
import { exportModel } from '../quantization/export.js';
import { DEFAULT_INTERVALS, insertQuantizers, parseBits } from '../quantization/insert.js';
import { fullPrecisionModel, publish } from '../quantization/publish.js';
import { rangedValues } from '../quantization/residual-stream.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../training/checkpoint.js';
import { type LabelledImages, readImageFolder } from '../training/image-folder.js';
import { cifarResNet } from '../training/networks/resnet.js';
import { accuracyOf, type StepReport, type TrainingSettings, train } from '../training/trainer.js';
import { createProgress } from './progress.js';

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
  .option('--bits <wXaY>', 'quantize the network of --from to 2, 3 or 4 bits, e.g. w2a2')
  .option('--teacher <checkpoint>', 'full-precision network whose outputs are learned as well')
  .option('--distillation <share>', "weight of the teacher's outputs, 0 to 1", Number, 0.5)
  .option('--epochs <n>', 'passes over the training images', Number, 20)
  .option('--batch <n>', 'images a step', Number, 128)
  .option('--rate <r>', 'highest learning rate', Number, 0.2)
  .option('--warmup <epochs>', 'epochs of linear warm-up', Number, 2)
  .option('--weight-decay <d>', 'L2 decay of the weights', Number, 5e-4)
  .option('--seed <n>', 'seed of the initial weights, the order and the augmentation', Number, 1)
  .option('--threads <n>', 'threads of the runtime', Number, availableParallelism())
  .option('--evaluate-every <n>', 'epochs between accuracies on the test files', Number, 1)
  .option('--publish <dir>', 'write the trained network as a servable model, REPOSITORY/NAME')
  .option('--resume', 'go on from last.onnx in --out', false)
  .action(run);

async function run(options: Options): Promise<void> {
  await mkdir(options.out, { recursive: true });
  const checkpointPath = join(options.out, 'last.onnx');
  const images = await load(options, 'train');
  const test = await load(options, 'test');
  const settings = settingsOf(options);
  const start = options.resume
    ? await readCheckpoint(checkpointPath)
    : await initial(options, images, settings);
  if (start.classes.join() !== images.classes.join()) {
    throw new LcqError(
      'INVALID_ARGUMENT',
      `--data has other classes than the checkpoint: ${images.classes}`,
    );
  }
  const effective = JSON.parse(start.settings) as TrainingSettings;
  const teacher = options.teacher ? await readCheckpoint(options.teacher) : undefined;

  let stopping = false;
  const stop = () => {
    stopping = true;
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const steps = Math.floor(images.count / effective.batch) * effective.epochs;
  const progress = createProgress('train', steps, start.step);
  const began = performance.now();
  let saved = began;
  const onStep = async (report: StepReport, snapshot: () => Checkpoint): Promise<boolean> => {
    const note = `epoch ${report.epoch}/${effective.epochs}, loss ${report.epochLoss.toFixed(4)}, accuracy ${percent(report.accuracy)}`;
    progress.update(report.step, note);
    const now = performance.now();
    if (report.endOfEpoch || stopping || now - saved > CHECKPOINT_INTERVAL_MS) {
      const checkpoint = snapshot();
      await writeCheckpoint(checkpointPath, checkpoint);
      saved = now;
      if (report.endOfEpoch) {
        const due = report.epoch % options.evaluateEvery === 0 || report.step === report.steps;
        const accuracy = due
          ? await accuracyOf(checkpoint, test, EVALUATION_BATCH, options.threads)
          : undefined;
        const line = {
          epoch: report.epoch,
          loss: report.epochLoss,
          trainAccuracy: report.accuracy,
          ...(accuracy === undefined ? {} : { testAccuracy: accuracy }),
          seconds: Math.round((performance.now() - began) / 1000),
        };
        progress.line(note + (accuracy === undefined ? '' : `, test ${percent(accuracy)}`));
        await appendFile(join(options.out, 'log.jsonl'), `${JSON.stringify(line)}\n`);
      }
    }
    return !stopping;
  };
  const end = await train(start, images, effective, {
    threads: options.threads,
    onStep,
    ...(teacher ? { teacher } : {}),
  });
  progress.stop();
  await writeCheckpoint(checkpointPath, end);
  if (options.publish && end.step === steps) {
    await publishTrained(end, images, options.publish, options);
    console.error(`published: ${options.publish}`);
  }
  console.error(end.step < steps ? `stopped; go on with --resume` : `done: ${checkpointPath}`);
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
  const calibration = { ...CALIBRATION, seed, threads };
  const clips = await calibrateClips(graph, bits.activationBits, images, calibration);
  const settings = {
    ...bits,
    intervals: DEFAULT_INTERVALS,
    cells: GRID_CELLS,
    chainGradient: false,
  };
  return insertQuantizers(graph, settings, clips);
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
  const { streams, pooled } = rangedValues(graph);
  const calibration = { ...CALIBRATION, seed, threads };
  const observed = await observe(graph, [...streams, pooled], images, calibration);
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
