import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evaluateDetection } from '../../../src/evaluation/detection.js';
import type { Graph } from '../../../src/onnx/graph.js';
import { calibrateClips } from '../../../src/quantization/calibrate.js';
import { activationBits, insertQuantizers } from '../../../src/quantization/insert.js';
import type { Checkpoint } from '../../../src/training/checkpoint.js';
import type { MarkedImages } from '../../../src/training/detection/marked-images.js';
import { outputsOf } from '../../../src/training/executor.js';
import {
  oneStageDetector,
  withProbabilities,
} from '../../../src/training/networks/one-stage-detector.js';
import { cifarResNet } from '../../../src/training/networks/resnet.js';
import { floatsOf, parametersOf } from '../../../src/training/parameters.js';
import { detection } from '../../../src/training/tasks/detection.js';
import { type TrainingSettings, train } from '../../../src/training/trainer.js';
import { suppressNonMaxima } from '../../../src/vision/non-maximum-suppression.js';
import { yoloxDecoder } from '../../../src/vision/yolox.js';
import { shapes } from './shapes.js';

const SIZE = [48, 64] as const;
const images = shapes(96, 1);
const task = detection(images, { scale: 1.2, shift: 0.1, brightness: 0.1 });
const settings: TrainingSettings = {
  epochs: 25,
  batch: 16,
  rate: 0.04,
  warmupEpochs: 1,
  seed: 3,
  distillation: 0.5,
  optimizer: {
    momentum: 0.9,
    weightDecay: 1e-4,
    rateScale: { weight: 1, affine: 1, clip: 0.1, compander: 1, statistic: 0 },
  },
};

const start = (graph = oneStageDetector(2, SIZE, 1)): Checkpoint => {
  const { classes } = images;
  return { graph, momenta: new Map(), step: 0, classes, settings: JSON.stringify(settings) };
};

/** AP50 of a forward graph, by the decoder that serves it. */
async function precision(graph: Graph, marked: MarkedImages): Promise<number> {
  const served = withProbabilities(graph);
  const shape = [1, 48, 7];
  const specs = [{ name: 'boxes', datatype: 'FP32' as const, shape }];
  const input = { height: SIZE[0], width: SIZE[1] };
  const decoder = yoloxDecoder({ name: 'boxes', strides: [8] }, input, specs);
  const limits = { iouThreshold: 0.6, maxDetections: 100 };
  const found: ReturnType<typeof suppressNonMaxima>[] = [];
  for await (const data of outputsOf(served, marked, 16, 1)) {
    const outputs = { boxes: { datatype: 'FP32' as const, shape, data } };
    found.push(suppressNonMaxima(decoder.decode(outputs, 0.01), limits));
  }
  const pictures = marked.objects.map((objects, i) => ({
    path: String(i),
    objects: objects.map(({ index, ...box }) => ({ category: index, box, isCrowd: false })),
  }));
  const dataset = { pictures, categories: new Map(marked.classes.entries()) };
  const detect = async ({ path }: { path: string }) => found[Number(path)];
  return (await evaluateDetection(dataset, marked.classes, detect)).ap50;
}

const always = async () => true;

describe('training of a detector', () => {
  test('it learns to find shapes, and still does at 2 bits with a teacher', async () => {
    const full = await train(start(), task, settings, { threads: 1, onStep: always });
    const unseen = shapes(50, 2);
    const ap50 = await precision(full.graph, unseen);
    assert.ok(ap50 > 0.8, `full precision: ${ap50}`);

    const calibration = { images: 64, batch: 32, seed: 1, threads: 1 };
    const clips = await calibrateClips(
      full.graph,
      activationBits(full.graph, 2),
      images,
      calibration,
    );
    const bits = { weightBits: 2, activationBits: 2 } as const;
    const quantizers = {
      ...bits,
      intervals: 16,
      cells: 1024,
      chainGradient: false,
      weightNormalization: true,
    };
    const low = start(insertQuantizers(full.graph, quantizers, clips));
    const schedule = { ...settings, epochs: 8, rate: 0.02 };
    const options = { threads: 1, onStep: always, teacher: full.graph };
    const trained = await train(low, task, schedule, options);
    const low50 = await precision(trained.graph, unseen);
    assert.ok(low50 > 0.7, `2 bits: ${low50}`);
  });

  test('a network or a teacher of another task is refused', async () => {
    const classifier = start(cifarResNet(8, 2, 48, 1));
    const options = { threads: 1, onStep: always };
    await assert.rejects(train(classifier, task, settings, options), {
      code: 'INVALID_ARGUMENT',
      message: 'the network makes [2] of an image, where the data asks for [48,7]',
    });
    await assert.rejects(
      train(start(), task, settings, { ...options, teacher: classifier.graph }),
      {
        code: 'INVALID_ARGUMENT',
        message: 'the teacher makes [2] of an image, where the data asks for [48,7]',
      },
    );
  });

  test('the same seed gives the same network, bit for bit', async () => {
    const [one, two] = [0, 1].map(() =>
      train(start(), task, settings, { threads: 1, onStep: async ({ step }) => step < 4 }),
    );
    const [first, second] = [await one, await two];
    for (const { name } of parametersOf(first.graph)) {
      assert.deepEqual(floatsOf(first.graph, name), floatsOf(second.graph, name), name);
    }
  });
});
