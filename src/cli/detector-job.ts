import { LcqError } from '../errors.js';
import type { CocoDataset } from '../evaluation/coco-annotations.js';
import { evaluateDetection } from '../evaluation/detection.js';
import { readSplit } from '../evaluation/marked-pictures.js';
import { placement } from '../image/letterbox.js';
import type { Graph } from '../onnx/graph.js';
import { publishFiles } from '../quantization/publish.js';
import { type DetectionConfig, modelConfigSchema } from '../repository/model-config.js';
import { outputsOf } from '../training/executor.js';
import {
  CELL_STRIDE,
  oneStageDetector,
  withLogits,
  withProbabilities,
} from '../training/networks/one-stage-detector.js';
import { detection } from '../training/tasks/detection.js';
import { detectionDecoder, detectObjects } from '../vision/detector.js';
import { type PlacedImages, readPlacedImages } from './placed-images.js';
import type { TrainingJob } from './training-job.js';

/** Height and width of the network's input. */
const IMAGE_SIZE = [240, 320] as const;
const EVALUATION_BATCH = 16;
const EVALUATION_LIMITS = { scoreThreshold: 0.01, maxDetections: 1000 };
const AUGMENTATION = { scale: 1.25, shift: 0.15, brightness: 0.2 };

/** config.json of the published model. */
const CONFIG = {
  task: 'detection',
  input: { name: 'image', layout: 'NHWC', width: IMAGE_SIZE[1], height: IMAGE_SIZE[0] },
  output: { decoder: 'yolox', name: 'boxes', strides: [CELL_STRIDE] },
  thresholds: { iouThreshold: 0.5 },
  labels: 'labels.txt',
  maxBatchSize: 16,
};

/** The one-stage detector on marked pictures: splits `train` to learn from, `val` to measure on. */
export async function detectorJob(data: string, threads: number): Promise<TrainingJob> {
  const config = modelConfigSchema.parse(CONFIG) as DetectionConfig;
  const train = await readObjects(data, 'train');
  const val = await readObjects(data, 'val');
  const classes = [...train.categories.values()];
  const images = await readPlacedImages(train, classes, config.input, 'train');
  const valImages = await readPlacedImages(val, classes, config.input, 'val');
  return {
    task: detection(images, AUGMENTATION),
    classes,
    images,
    defaults: { epochs: 80, batch: 8, rate: 0.05, weightDecay: 5e-4 },
    figure: { name: 'val AP50', key: 'valAp50' },
    network: (seed) => oneStageDetector(classes.length, IMAGE_SIZE, seed),
    async evaluate(graph) {
      const detections = await detect(withProbabilities(graph), valImages, config, threads);
      const found = new Map(val.pictures.map((picture, i) => [picture, detections[i]]));
      const { ap50 } = await evaluateDetection(val, classes, async (p) => found.get(p) ?? []);
      return ap50;
    },
    served: withProbabilities,
    trainable: withLogits,
    publish: (folder, model) => publishFiles(folder, model, CONFIG, classes),
  };
}

/** A split that there is something to learn from. */
async function readObjects(data: string, split: string): Promise<CocoDataset> {
  const dataset = await readSplit(data, split);
  if (dataset.pictures.some(({ objects }) => objects.length > 0)) return dataset;
  throw new LcqError('INVALID_ARGUMENT', `'${data}' marks no object in its split '${split}'`);
}

/** What a forward graph sees in each picture, as a server would. */
async function detect(
  graph: Graph,
  images: PlacedImages,
  { input, output, thresholds }: DetectionConfig,
  threads: number,
) {
  const [{ name, type }] = graph.outputs;
  const shape = [1, ...type.shape.slice(1)] as number[];
  const specs = [{ name, datatype: 'FP32' as const, shape }];
  const decoder = detectionDecoder(output, input, specs);
  const batch = Math.min(EVALUATION_BATCH, images.count);
  const detections = [];
  for await (const data of outputsOf(graph, images, batch, threads)) {
    const outputs = { [name]: { datatype: 'FP32' as const, shape, data } };
    const where = placement(images.originals[detections.length], input);
    const limits = { ...EVALUATION_LIMITS, iouThreshold: thresholds.iouThreshold };
    detections.push(detectObjects(decoder, outputs, where, limits));
  }
  return detections;
}
