import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { LcqError } from '../errors.js';
import { agreement, evaluateClassification } from '../evaluation/classification.js';
import { type Detect, evaluateDetection } from '../evaluation/detection.js';
import { readMarkedPictures } from '../evaluation/marked-pictures.js';
import { placement } from '../image/letterbox.js';
import type { DetectionConfig } from '../repository/model-config.js';
import type { ModelDefinition } from '../repository/repository.js';
import { listClassFolders } from '../training/class-folders.js';
import { detectionDecoder, detectObjects } from '../vision/detector.js';
import { findModel, type OpenModel, openModel } from './open-model.js';
import { classifier } from './picture-classifier.js';
import { createProgress } from './progress.js';

/** Of one picture; COCO's average precision looks at no more of each class. */
const MAX_DETECTIONS = 1000;

interface Options {
  data: string;
  split: string;
  batch: number;
  threads: number;
  scoreThreshold: number;
  iouThreshold?: number;
  json: boolean;
}

/** What is printed: one row a model. */
interface Report {
  readonly json: readonly object[];
  readonly table: readonly object[];
}

export const command = new Command('evaluate')
  .description('measure the accuracy of servable models on labelled image files')
  .argument('<model...>', 'model folders, REPOSITORY/NAME, all of one task')
  .requiredOption(
    '--data <dir>',
    'class folders, e.g. cifar10/test; for detection annotations.json (COCO) and images/, or Pascal VOC',
  )
  .option('--split <name>', 'which part of Pascal VOC data', 'test')
  .option('--batch <n>', 'images a run, for classification', Number, 32)
  .option('--threads <n>', 'threads of a run', Number, availableParallelism())
  .option('--score-threshold <s>', 'lowest score of a detection', Number, 0.01)
  .option('--iou-threshold <s>', "overlap of detections; the model's own if left out", Number)
  .option('--json', 'print JSON', false)
  .action(run);

async function run(folders: string[], options: Options): Promise<void> {
  const definitions: ModelDefinition[] = [];
  for (const folder of folders) definitions.push(await findModel(folder));
  const tasks = new Set(definitions.map(({ config }) => config.task));
  if (tasks.size > 1) {
    throw new LcqError('INVALID_ARGUMENT', `tasks of the models differ: ${[...tasks].join(', ')}`);
  }
  const evaluate = tasks.has('detection') ? evaluateDetectors : evaluateClassifiers;
  const { json, table } = await evaluate(definitions, options);
  if (options.json) console.log(JSON.stringify(json, null, 2));
  else console.table(table);
}

/** Agreement is with the first model. */
async function evaluateClassifiers(
  definitions: readonly ModelDefinition[],
  options: Options,
): Promise<Report> {
  const files = await listClassFolders(options.data);
  const rows = await evaluateEach(definitions, options, files.length, (model, onProgress) => {
    const { labels } = model.definition;
    return evaluateClassification(files, labels, classifier(model), options.batch, onProgress);
  });
  const [first] = rows;
  return {
    json: rows.map(({ model, kernels, result: { predictions: _, ...figures } }, i) => {
      return { model, kernels, ...figures, agreement: agreement(first.result, rows[i].result) };
    }),
    table: rows.map(({ model, kernels, result }) => ({
      model,
      kernels,
      files: result.count,
      top1: percent(result.top1),
      top5: percent(result.top5),
      agreement: percent(agreement(first.result, result)),
    })),
  };
}

async function evaluateDetectors(
  definitions: readonly ModelDefinition[],
  options: Options,
): Promise<Report> {
  const dataset = await readMarkedPictures(options.data, options.split);
  const { length } = dataset.pictures;
  const rows = await evaluateEach(definitions, options, length, (model, onProgress) =>
    evaluateDetection(dataset, model.definition.labels, detector(model, options), onProgress),
  );
  return {
    json: rows.map(({ model, kernels, result }) => ({ model, kernels, ...result })),
    table: rows.map(({ model, kernels, result: { images, objects, map, ap50, ap75 } }) => {
      const shares = { mAP: percent(map), AP50: percent(ap50), AP75: percent(ap75) };
      return { model, kernels, images, objects, ...shares };
    }),
  };
}

async function evaluateEach<Result>(
  definitions: readonly ModelDefinition[],
  { threads }: Options,
  count: number,
  evaluate: (model: OpenModel, onProgress: (done: number) => void) => Promise<Result>,
): Promise<{ model: string; kernels: string; result: Result }[]> {
  const rows: { model: string; kernels: string; result: Result }[] = [];
  for (const definition of definitions) {
    const model = await openModel(definition, threads);
    const kernels = [...new Set(model.session.kernels.map((use) => use.kernel))].join(' ');
    const progress = createProgress(definition.name, count);
    const result = await evaluate(model, (done) => progress.update(done, 'images'));
    progress.stop();
    await model.session.dispose();
    const { name, version } = definition;
    rows.push({ model: `${name}/${version}`, kernels: kernels || 'stock', result });
  }
  return rows;
}

function detector({ definition, session, runPictures }: OpenModel, options: Options): Detect {
  const { input, output, thresholds } = definition.config as DetectionConfig;
  const decoder = detectionDecoder(output, input, session.outputs);
  const { scoreThreshold, iouThreshold = thresholds.iouThreshold } = options;
  return async ({ path }) => {
    const { outputs, originals } = await runPictures([path]);
    return detectObjects(decoder, outputs, placement(originals[0], input), {
      scoreThreshold,
      iouThreshold,
      maxDetections: MAX_DETECTIONS,
    });
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
