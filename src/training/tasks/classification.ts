import type { GraphBuilder, Value } from '../../onnx/builder.js';
import type { Graph } from '../../onnx/graph.js';
import { shiftedBatch } from '../batches.js';
import { outputsOf } from '../executor.js';
import type { LabelledImages } from '../image-folder.js';
import { PIXEL_ZERO } from '../networks/network-writer.js';
import type { Random } from '../random.js';
import type { Task } from './task.js';

/**
 * Classification: the output is one logit a class, the target probabilities, the loss the mean cross-entropy.
 * @param shift images are moved by up to this many pixels, and mirrored half of the time
 */
export function classification(images: LabelledImages, shift: number): Task {
  const classes = images.classes.length;
  return {
    count: images.count,
    imageSize: [images.height, images.width],
    outputShape: [classes],
    targetShape: [classes],
    batch(indices: ArrayLike<number>, random: Random) {
      const pixels = shiftedBatch(images, indices, random, shift, PIXEL_ZERO);
      const labels = Array.from(indices, (index) => images.labels[index]);
      return { pixels, target: oneHot(labels, classes) };
    },
    distil: (target, taught, share) => blend(target, taught, classes, share),
    loss: crossEntropy,
    countRight(output, target) {
      const [said, meant] = [output, target].map((rows) => largestOf(rows, classes));
      return said.filter((label, i) => label === meant[i]).length;
    },
  };
}

/** Share of the images that the forward graph classifies rightly, 0 to 1. */
export async function accuracyOf(
  graph: Graph,
  images: LabelledImages,
  batch: number,
  threads: number,
): Promise<number> {
  let right = 0;
  let at = 0;
  for await (const logits of outputsOf(graph, images, batch, threads)) {
    if (largestOf(logits, images.classes.length)[0] === images.labels[at++]) right++;
  }
  return right / images.count;
}

function crossEntropy(b: GraphBuilder, logits: Value, target: Value) {
  const scale = b.scalar(1 / logits.shape[0]);
  const logProbability = b.unary('LogSoftmax', logits, { axis: 1 });
  const total = b.reduce('Sum', b.mul(logProbability, target), [0, 1]);
  return {
    loss: b.neg(b.mul(total, scale)),
    gradient: b.mul(b.sub(b.unary('Exp', logProbability), target), scale),
  };
}

function oneHot(labels: readonly number[], classes: number): Float32Array {
  const target = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => {
    target[i * classes + label] = 1;
  });
  return target;
}

/** Towards the teacher's softmax: cross-entropy is linear in its target. */
function blend(target: Float32Array, logits: Float32Array, classes: number, share: number) {
  const blended = new Float32Array(target.length);
  for (let row = 0; row < target.length; row += classes) {
    const scores = logits.subarray(row, row + classes);
    const top = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
    scores.forEach((score, c) => {
      blended[row + c] = (1 - share) * target[row + c] + (share * Math.exp(score - top)) / sum;
    });
  }
  return blended;
}

/** The index of the largest of each row's values, the first of equal ones. */
function largestOf(rows: Float32Array, columns: number): number[] {
  return Array.from({ length: rows.length / columns }, (_, i) => {
    const row = rows.subarray(i * columns, (i + 1) * columns);
    return row.indexOf(Math.max(...row));
  });
}
