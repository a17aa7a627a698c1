import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { Command } from 'commander';
import { LcqError } from '../errors.js';
import type { Model } from '../onnx/graph.js';
import { decodeModel } from '../onnx/serde.js';
import { summarize } from '../quantization/summary.js';
import { Baseline } from '../report/baseline.js';
import type { ModelFacts } from '../report/head-section.js';
import { layerReports } from '../report/layer-report.js';
import { type ObservationSettings, observeNetwork } from '../report/observe-network.js';
import type { AccuracyReport, Report } from '../report/page.js';
import { type QuantizedLayer, quantizedLayers } from '../report/quantized-layer.js';
import type { ModelConfig } from '../repository/model-config.js';
import type { ModelDefinition } from '../repository/repository.js';
import { Random } from '../training/random.js';
import { listImages, readImages } from './calibration-images.js';
import { readModelFile } from './model-bytes.js';
import { findModel } from './open-model.js';
import { positiveInteger } from './options.js';
import { createProgress } from './progress.js';
import { reportAccuracy } from './report-accuracy.js';

/** Pictures observed at once: of each, all activations are in memory. */
const OBSERVED_AT_ONCE = 8;

interface Options {
  baseline?: string;
  data?: string;
  out: string;
  images: number;
  examples: number;
  batch: number;
  threads: number;
  seed: number;
}

export const command = new Command('report')
  .description('write a page on an LCQ model: curves, levels, noise, accuracy, wrong answers')
  .argument('<model>', 'a model folder, REPOSITORY/NAME, or an .onnx file')
  .option('--baseline <model>', 'what it was quantized from, in full precision: folder or file')
  .option('--data <dir>', 'pictures to look at; in class folders: also to measure accuracy on')
  .option('--out <file>', 'the page to write', 'report.html')
  .option('--images <n>', 'pictures to observe activations on', positiveInteger, 64)
  .option('--examples <n>', 'wrong answers to show of each kind', positiveInteger, 12)
  .option('--batch <n>', 'pictures a run, for accuracy', positiveInteger, 32)
  .option('--threads <n>', 'threads of a run', positiveInteger, availableParallelism())
  .option('--seed <n>', 'seed of the choice of pictures to observe', Number, 1)
  .action(run);

/** A model as it was named on the command line; without a folder there is no definition of how it is served. */
interface Subject {
  readonly facts: ModelFacts;
  readonly model: Model;
  readonly path: string;
  readonly definition?: ModelDefinition;
}

async function run(path: string, options: Options): Promise<void> {
  // Before any work: the charts may be missing.
  const reportPage = await loadPage();
  const subject = await readSubject(path);
  const layers = quantizedLayers(subject.model);
  if (layers.length === 0) throw new LcqError('INVALID_ARGUMENT', `'${path}' has no LCQ layers`);
  const full = options.baseline === undefined ? undefined : await readSubject(options.baseline);
  const baseline = full && baselineOf(full.model, subject.model, layers);
  const { data } = options;
  const seen = data === undefined ? undefined : await observe(subject, layers, baseline, options);
  const accuracy = data === undefined ? undefined : await accuracyOf(subject, full, data, options);
  const report: Report = {
    model: subject.facts,
    baseline: full?.facts,
    layers: layerReports(subject.model, layers, baseline, seen?.values ?? new Map()),
    observed: seen?.count ?? 0,
    accuracy,
  };
  await writeWhole(options.out, reportPage(report));
  console.error(`written: ${options.out}`);
}

/** Servers have no use for echarts, so it is not installed with the package. */
async function loadPage(): Promise<(report: Report) => string> {
  try {
    return (await import('../report/page.js')).reportPage;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const message = 'reports are drawn with echarts, which is not installed: npm install echarts@6';
    throw new LcqError('UNSUPPORTED', message, { cause });
  }
}

async function readSubject(path: string): Promise<Subject> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const definition = isFolder ? await findModel(path) : undefined;
  const file = definition?.modelPath ?? path;
  const bytes = await readModelFile(file);
  const model = decodeModel(bytes);
  const name = definition ? `${definition.name}/${definition.version}` : basename(path);
  return {
    facts: { name, summary: summarize(model), fileBytes: bytes.byteLength },
    model,
    path: file,
    ...(definition && { definition }),
  };
}

function baselineOf(full: Model, model: Model, layers: readonly QuantizedLayer[]): Baseline {
  const baseline = new Baseline(full);
  const type = ({ graph: { inputs } }: Model) => JSON.stringify(inputs.map(typeOf));
  const typeOf = ({ type: { dtype, shape } }: Model['graph']['inputs'][number]) => {
    return [dtype, shape.slice(1)];
  };
  if (type(full) !== type(model) || !layers.some((layer) => baseline.layer(layer))) {
    const message = 'the baseline is another network: its inputs, or all its layers, differ';
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return baseline;
}

/** How pictures get into a model: its folder says it. */
function pictureConfig({ definition }: Subject): ModelConfig {
  if (definition === undefined) {
    const message =
      '--data needs a model folder, REPOSITORY/NAME, which tells how to read pictures';
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return definition.config;
}

async function observe(
  subject: Subject,
  layers: readonly QuantizedLayer[],
  baseline: Baseline | undefined,
  { data = '', images: wanted, threads, seed }: Options,
) {
  const config = pictureConfig(subject);
  const files = await listImages(data);
  if (files.length === 0) throw new LcqError('NOT_FOUND', `'${data}' has no images`);
  const batch = Math.min(OBSERVED_AT_ONCE, wanted, files.length);
  const count = Math.min(wanted, files.length);
  const order = new Random(seed).permutation(files.length).subarray(0, count - (count % batch));
  const images = await readImages(
    Array.from(order, (index) => files[index]),
    config,
  );
  const settings: ObservationSettings = { batch, threads, seed };
  const progress = createProgress('observing', images.count);
  try {
    const seen = (done: number) => progress.update(done, 'images');
    const { model } = subject;
    const values = await observeNetwork(model, layers, baseline, images, settings, seen);
    return { values, count: images.count };
  } finally {
    progress.stop();
  }
}

/** Of classifiers. */
async function accuracyOf(
  { definition }: Subject,
  full: Subject | undefined,
  data: string,
  options: Options,
): Promise<AccuracyReport | undefined> {
  if (definition?.config.task !== 'classification') return undefined;
  // A file is read as the model's own folder says.
  const baseline = full && (full.definition ?? { ...definition, modelPath: full.path });
  return reportAccuracy(definition, baseline, data, options);
}

/** Nobody finds half a page. */
async function writeWhole(path: string, page: string): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeFile(partial, page);
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    const code = (cause as NodeJS.ErrnoException).code;
    throw new LcqError('INVALID_ARGUMENT', `cannot write '${path}' (${code})`, { cause });
  }
}
