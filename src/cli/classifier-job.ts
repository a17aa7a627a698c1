import { join } from 'node:path';
import { publish } from '../quantization/publish.js';
import { type LabelledImages, readImageFolder } from '../training/image-folder.js';
import { cifarResNet } from '../training/networks/resnet.js';
import { accuracyOf, classification } from '../training/tasks/classification.js';
import { createProgress, type Progress } from './progress.js';
import type { TrainingJob } from './training-job.js';

const IMAGE_SIZE = 32;
const EVALUATION_BATCH = 250;
/** Random movement of the images, pixels. */
const SHIFT = 4;

/** A CIFAR ResNet on class folders: train/CLASS/*.jpg and test/CLASS/*.jpg. */
export async function classifierJob(
  data: string,
  network: 'resnet20' | 'resnet56',
  threads: number,
): Promise<TrainingJob> {
  const images = await load(data, 'train');
  const test = await load(data, 'test');
  const { classes, height, width } = images;
  const batch = Math.min(EVALUATION_BATCH, test.count);
  return {
    task: classification(images, SHIFT),
    classes,
    images,
    defaults: { epochs: 20, batch: 128, rate: 0.2, weightDecay: 5e-4 },
    figure: { name: 'test', key: 'testAccuracy' },
    network: (seed) =>
      cifarResNet(Number(network.replace('resnet', '')), classes.length, IMAGE_SIZE, seed),
    evaluate: (graph) => accuracyOf(graph, test, batch, threads),
    served: (graph) => graph,
    trainable: (graph) => graph,
    publish: (folder, model) =>
      publish(folder, { model, labels: classes, imageSize: [height, width] }),
  };
}

async function load(data: string, part: 'train' | 'test'): Promise<LabelledImages> {
  let progress: Progress | undefined;
  const images = await readImageFolder(join(data, part), IMAGE_SIZE, (done, total) => {
    progress ??= createProgress(`decode ${part} images`, total);
    progress.update(done, 'images');
  });
  progress?.stop();
  return images;
}
