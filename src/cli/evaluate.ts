import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { LcqError } from '../errors.js';
import {
  agreement,
  type ClassificationResult,
  type Classify,
  evaluateClassification,
} from '../evaluation/classification.js';
import { decodePixels } from '../image/decode.js';
import { pixelPacker } from '../image/normalize.js';
import { type ModelDefinition, scanRepository } from '../repository/repository.js';
import { createLcqSession } from '../runtime/lcq-session.js';
import type { ModelSession } from '../runtime/session.js';
import { type LabelledFile, listClassFolders } from '../training/class-folders.js';
import { createProgress } from './progress.js';

const LIMITS = { maxBytes: 64 * 2 ** 20, maxPixels: 100_000_000 };

interface Options {
  data: string;
  batch: number;
  threads: number;
  json: boolean;
}

export const command = new Command('evaluate')
  .description('measure the accuracy of servable models on labelled image files')
  .argument('<model...>', 'model folders, REPOSITORY/NAME; agreement is with the first')
  .requiredOption('--data <dir>', 'folder of class folders, e.g. cifar10/test')
  .option('--batch <n>', 'images a run', Number, 32)
  .option('--threads <n>', 'threads of a run', Number, availableParallelism())
  .option('--json', 'print JSON', false)
  .action(run);

async function run(folders: string[], options: Options): Promise<void> {
  const files = await listClassFolders(options.data);
  const rows: { model: string; kernels: string; result: ClassificationResult }[] = [];
  for (const folder of folders) {
    const definition = await findModel(folder);
    const session = await createLcqSession(definition.modelPath, {
      intraOpThreads: options.threads,
    });
    const kernels = [...new Set(session.kernels.map((use) => use.kernel))].join(' ') || 'stock';
    const progress = createProgress(definition.name, files.length);
    const result = await evaluateClassification(
      files,
      definition.labels,
      classifier(definition, session),
      options.batch,
      (done) => progress.update(done, 'images'),
    );
    progress.stop();
    await session.dispose();
    rows.push({ model: `${definition.name}/${definition.version}`, kernels, result });
  }
  const [first] = rows;
  const table = rows.map(({ model, kernels, result }) => ({
    model,
    kernels,
    files: result.count,
    top1: percent(result.top1),
    top5: percent(result.top5),
    agreement: percent(agreement(first.result, result)),
  }));
  if (!options.json) return console.table(table);
  const json = rows.map(({ model, kernels, result: { predictions: _, ...figures } }, i) => {
    return { model, kernels, ...figures, agreement: agreement(first.result, rows[i].result) };
  });
  console.log(JSON.stringify(json, null, 2));
}

async function findModel(folder: string): Promise<ModelDefinition> {
  const path = resolve(folder);
  const definitions = await scanRepository(dirname(path));
  const definition = definitions.find(({ name }) => name === basename(path));
  if (definition) return definition;
  throw new LcqError('NOT_FOUND', `there is no model in '${folder}'`);
}

/** The serving path of a picture without the server: decode, pack, run. */
function classifier({ config }: ModelDefinition, session: ModelSession): Classify {
  const { input, output } = config;
  const pack = pixelPacker({ layout: input.layout, normalization: input.normalization });
  const [spec] = session.inputs;
  const size =
    input.layout === 'NHWC' ? [input.height, input.width, 3] : [3, input.height, input.width];
  return async (files: readonly LabelledFile[]) => {
    const pictures = await Promise.all(
      files.map(async ({ path }) => decodePixels(await readFile(path), input, LIMITS)),
    );
    const shape = [files.length, ...size];
    const feed = { datatype: spec.datatype, shape, data: pack(pictures) };
    const {
      shape: [, classes],
      data,
    } = (await session.run({ [input.name]: feed }))[output.name];
    const scores = data as Float32Array;
    return files.map((_, i) => scores.subarray(i * classes, (i + 1) * classes));
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
