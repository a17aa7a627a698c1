import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { LcqError } from '../errors.js';
import type { Graph, Model } from '../onnx/graph.js';
import { canonicalGraph } from '../onnx/passes/canonical.js';
import { decodeModel } from '../onnx/serde.js';
import { exportModel } from '../quantization/export.js';
import { DEFAULT_INTERVALS } from '../quantization/insert.js';
import { rangedValues } from '../quantization/layer-ending.js';
import { equalizeDepthwiseInputs } from '../quantization/post-training/equalize.js';
import { joinOutputs, splitOutputs } from '../quantization/post-training/joined-outputs.js';
import type { Activations } from '../quantization/post-training/network-runner.js';
import { observeValues } from '../quantization/post-training/observe.js';
import {
  type BlockReport,
  type FittedNetwork,
  fitNetwork,
  type LayerReport,
  type PostTrainingSettings,
  reconstructNetwork,
} from '../quantization/post-training/quantize-network.js';
import { solveLayers } from '../quantization/post-training/solve-layers.js';
import {
  type ReconstructionState,
  readState,
  removeState,
  writeState,
} from '../quantization/post-training/state-file.js';
import { publishFiles } from '../quantization/publish.js';
import { readCalibrationImages } from './calibration-images.js';
import { DETECTORS } from './detector-config.js';
import { describePretrained, type PretrainedOptions } from './pretrained-model.js';
import { createProgress } from './progress.js';

const BATCH = 16;

interface Options extends PretrainedOptions {
  out: string;
  bits: string;
  mixed?: number;
  images: number;
  steps: number;
  drop: number;
  batch: number;
  rate: number;
  clipRate: number;
  companderRate: number;
  companding: boolean;
  perChannel: boolean;
  solve: boolean;
  seed: number;
  threads: number;
  resume: boolean;
  baseline?: string;
}

const three = (text: string): number[] => {
  const numbers = text.split(',').map(Number);
  if (numbers.length === 3 && numbers.every(Number.isFinite)) return numbers;
  throw new LcqError('INVALID_ARGUMENT', `'${text}' must be three numbers like 0.5,0.5,0.5`);
};

export const command = new Command('quantize')
  .description('quantize a full-precision ONNX classifier or detector with images alone, no labels')
  .argument('<model>', 'an .onnx file that takes float32 [N,3,H,W] or uint8 [N,H,W,3]')
  .requiredOption(
    '--data <dir>',
    'folder of images like those the model will see, never test files',
  )
  .requiredOption('--out <dir>', 'model folder to write, REPOSITORY/NAME')
  .option('--bits <wXaY>', 'bits of weights (2, 3, 4, 8) and activations (2, 3, 4, 8)', 'w4a4')
  .option(
    '--mixed <bits>',
    'bits of a weight on average: layers get 2, 3, 4 or 8 by what they cost the output',
    Number,
  )
  .option('--images <n>', 'images to calibrate and reconstruct with', Number, 512)
  .option(
    '--steps <n>',
    'reconstruction steps a block; 0: clips are fitted and weights solved for',
    Number,
    1000,
  )
  .option('--batch <n>', 'images a step', Number, BATCH)
  .option('--drop <p>', 'probability that an activation is left as it is in a step', Number, 0.5)
  .option('--rate <r>', 'rate of weights and biases, in quantization steps', Number, 6e-3)
  .option('--clip-rate <r>', 'rate of clips, in units of themselves', Number, 1e-3)
  .option('--compander-rate <r>', 'rate of the companders', Number, 5e-3)
  .option('--no-companding', 'leave all quantizers uniform')
  .option('--no-per-channel', 'one weight clip a layer instead of one an output channel')
  .option('--no-solve', 'leave the weights as they are before reconstruction')
  .option('--seed <n>', 'seed of the choice of images and of every step', Number, 1)
  .option('--threads <n>', 'threads of the runtime', Number, availableParallelism())
  .option('--resume', 'go on after the last finished block', false)
  .option('--labels <file>', 'class names, one a line')
  .addOption(
    new Option('--detector <head>', 'the model is a detector with this head').choices(DETECTORS),
  )
  .option(
    '--mean <a,b,c>',
    'subtracted from (pixel * scale); a classifier: 0, a detector: its authors',
    three,
  )
  .option('--std <a,b,c>', 'divides what is left; a classifier: 1', three)
  .option('--scale <s>', 'multiplies pixels 0..255; a classifier: 1/255', Number)
  .addOption(
    new Option(
      '--resize <how>',
      'how pictures get the size: cover a classifier, letterbox a detector',
    ).choices(['cover', 'stretch', 'letterbox']),
  )
  .option('--baseline <dir>', 'also publish the model as it was, to compare with')
  .action(run);

async function run(path: string, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const bytes = await readFile(path).catch((cause) => {
    throw new LcqError('NOT_FOUND', `model '${path}' cannot be read`, { cause });
  });
  const model = decodeModel(bytes);
  const { config, labels } = await describePretrained(model, options);
  const { images: count, seed, data } = options;
  const images = await readCalibrationImages(data, count, seed, config);
  const canonical = canonicalGraph(model);
  const graph = await equalizeDepthwiseInputs(
    joinOutputs(canonical),
    images,
    settings.reconstruction,
  );
  await mkdir(options.out, { recursive: true });
  const statePath = join(options.out, 'reconstruction.onnx');
  const fingerprint = fingerprintOf(bytes, settings, options);
  const start: ReconstructionState = options.resume
    ? await readState(statePath, fingerprint)
    : { network: await fitted(graph, images, settings, options.solve), blocks: [] };
  await writeState(statePath, start, fingerprint);
  printLayers(start.network.layers);
  const joined = await reconstruct(graph, start, images, settings, statePath, fingerprint);
  const quantized = splitOutputs(joined, canonical);
  const ranges = await observeRanges(quantized, images, settings);
  const { height, width } = config.input;
  const exported = exportModel(quantized, [height, width], ranges);
  exported.metadata['lcq.quantize'] = JSON.stringify(recorded(settings, options));
  printFullPrecision(graph, exported);
  // A graph that was exported for one image takes any number in its canonical form.
  const served = await describePretrained({ ...model, graph: canonical }, options);
  const labelled = labels && { labels: 'labels.txt' };
  await publishFiles(options.out, exported, { ...served.config, ...labelled }, labels);
  if (options.baseline) {
    await publishFiles(options.baseline, model, { ...config, ...labelled }, labels);
  }
  await removeState(statePath);
  console.error(`published: ${options.out}`);
}

function settingsOf(options: Options): PostTrainingSettings {
  const match = /^w([2348])a([2348])$/.exec(options.bits);
  if (!match) {
    const message = `--bits must be like w4a4, with 2, 3, 4 or 8, not '${options.bits}'`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  if (options.images % options.batch !== 0) {
    throw new LcqError('INVALID_ARGUMENT', '--images must be a multiple of --batch');
  }
  const { mixed } = options;
  if (mixed !== undefined && !(mixed >= 2 && mixed <= 8)) {
    throw new LcqError('INVALID_ARGUMENT', `--mixed must be from 2 to 8, not ${mixed}`);
  }
  const { batch, seed, threads, steps, drop, rate, clipRate, companding, perChannel } = options;
  const rates = {
    weight: rate,
    bias: rate,
    clip: clipRate,
    activation: clipRate,
    compander: companding ? options.companderRate : 0,
  };
  return {
    weightBits: Number(match[1]) as PostTrainingSettings['weightBits'],
    activationBits: Number(match[2]) as PostTrainingSettings['activationBits'],
    ...(mixed !== undefined && { averageWeightBits: mixed }),
    intervals: DEFAULT_INTERVALS,
    companding,
    perChannel,
    reconstruction: { steps, batch, seed, threads, drop, rates },
  };
}

/** Everything that the outcome depends on, but for the images' bytes. */
function fingerprintOf(
  model: Uint8Array,
  { reconstruction: { threads: _, ...reconstruction }, ...settings }: PostTrainingSettings,
  { data, images, solve, detector, mean, std, scale, resize }: Options,
): string {
  return createHash('sha256')
    .update(model)
    .update(
      JSON.stringify({
        settings,
        reconstruction,
        solve,
        data,
        images,
        detector,
        mean,
        std,
        scale,
        resize,
      }),
    )
    .digest('hex');
}

/** The settings as the model file tells them, for `lcq inspect`. */
function recorded(settings: PostTrainingSettings, { bits, images, solve }: Options): object {
  const { averageWeightBits, companding, perChannel, reconstruction } = settings;
  const { steps, seed } = reconstruction;
  return { bits, averageWeightBits, companding, perChannel, images, solve, steps, seed };
}

async function fitted(
  graph: Graph,
  images: Activations,
  settings: PostTrainingSettings,
  solve: boolean,
): Promise<FittedNetwork> {
  const stages = new Map<string, ReturnType<typeof createProgress>>();
  const network = await fitNetwork(graph, images, settings, (stage, done, total) => {
    const progress = stages.get(stage) ?? createProgress(stage, total);
    stages.set(stage, progress);
    progress.update(done, 'of them');
    if (done === total) progress.stop();
  });
  if (!solve) return network;
  const { blocks, layers, graph: start } = network;
  const progress = createProgress('solve for weights', layers.length);
  let done = 0;
  const solved = await solveLayers(graph, start, blocks, images, settings.reconstruction, (name) =>
    progress.update(++done, name),
  );
  progress.stop();
  return { ...network, graph: solved };
}

async function reconstruct(
  full: Graph,
  { network, blocks }: ReconstructionState,
  images: Activations,
  { reconstruction }: PostTrainingSettings,
  statePath: string,
  fingerprint: string,
): Promise<Graph> {
  if (reconstruction.steps === 0) return network.graph;
  const reports: BlockReport[] = [...blocks];
  const total = network.blocks.length * reconstruction.steps;
  const progress = createProgress('reconstruct', total, reports.length * reconstruction.steps);
  const graph = await reconstructNetwork(
    full,
    network.graph,
    network.blocks,
    images,
    reconstruction,
    reports.length,
    {
      onStep: (block, step, loss) =>
        progress.update(
          block * reconstruction.steps + step,
          `block ${block + 1}/${network.blocks.length}, loss ${loss.toPrecision(4)}`,
        ),
      onBlock: async (block, moved, report) => {
        reports.push(report);
        const { layers, before, after } = report;
        progress.line(
          `block ${block + 1} (${layers.join(', ')}): ${before.toFixed(1)} -> ${after.toFixed(1)} dB`,
        );
        const state = { network: { ...network, graph: moved }, blocks: reports };
        await writeState(statePath, state, fingerprint);
      },
    },
  );
  progress.stop();
  return graph;
}

async function observeRanges(
  graph: Graph,
  images: Activations,
  { reconstruction }: PostTrainingSettings,
): Promise<Map<string, number>> {
  const observed = await observeValues(graph, rangedValues(graph), images, reconstruction);
  return new Map([...observed].map(([name, { largest }]) => [name, largest]));
}

function printLayers(layers: readonly LayerReport[]): void {
  const decibels = (value: number | undefined) => value?.toFixed(1) ?? '-';
  const rows = layers.map((layer) => ({
    layer: layer.name,
    op: layer.op,
    weights: layer.weightBits,
    'weight SQNR dB': decibels(layer.weightSqnr),
    activations: layer.activationBits ?? '-',
    'activation SQNR dB': decibels(layer.activationSqnr),
  }));
  console.table(rows);
}

/** What stays as it was: named, since it costs time. */
function printFullPrecision(graph: Graph, { graph: exported }: Model): void {
  const names = new Set(graph.nodes.map(({ name }) => name));
  const kept = exported.nodes.filter(({ domain, name }) => domain === '' && names.has(name));
  for (const { name, opType } of kept) console.log(`in full precision: ${name} (${opType})`);
}
