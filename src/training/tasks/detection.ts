import type { GraphBuilder, Value } from '../../onnx/builder.js';
import { assignCells, TARGET } from '../detection/assignment.js';
import {
  type AugmentationSettings,
  changeObjects,
  changePixels,
  randomChange,
} from '../detection/augmentation.js';
import { detectionLoss } from '../detection/loss.js';
import type { MarkedImages } from '../detection/marked-images.js';
import { BOX_COLUMNS, CELL_STRIDE, CLASS_COLUMN } from '../networks/one-stage-detector.js';
import type { Random } from '../random.js';
import type { Task } from './task.js';

/** Object detection by a network whose output is that of `oneStageDetector`. */
export function detection(images: MarkedImages, augmentation: AugmentationSettings): Task {
  const { height, width } = images;
  const classes = images.classes.length;
  const cells = (height / CELL_STRIDE) * (width / CELL_STRIDE);
  const columns = TARGET.classes + classes;
  return {
    count: images.count,
    imageSize: [height, width],
    outputShape: [cells, CLASS_COLUMN + classes],
    targetShape: [cells, columns],
    batch(indices: ArrayLike<number>, random: Random) {
      const bytes = height * width * 3;
      const pixels = new Uint8Array(indices.length * bytes);
      const target = new Float32Array(indices.length * cells * columns);
      for (let i = 0; i < indices.length; i++) {
        const change = randomChange(images, augmentation, random);
        changePixels(images, indices[i], change, pixels.subarray(i * bytes, (i + 1) * bytes));
        const objects = changeObjects(images.objects[indices[i]], images, change);
        target.set(assignCells(objects, classes, [height, width]), i * cells * columns);
      }
      return { pixels, target };
    },
    distil: (target, taught, share) => blend(target, taught, classes, share),
    loss: (b: GraphBuilder, output: Value, target: Value) => detectionLoss(b, output, target),
  };
}

/** Objectness of all cells and classes of assigned ones move towards the teacher's; boxes are as they are marked. */
function blend(
  target: Float32Array,
  taught: Float32Array,
  classes: number,
  share: number,
): Float32Array {
  const blended = Float32Array.from(target);
  const cells = target.length / (TARGET.classes + classes);
  for (let cell = 0; cell < cells; cell++) {
    const to = cell * (TARGET.classes + classes);
    const from = cell * (CLASS_COLUMN + classes);
    blended[to + TARGET.overlap] *= 1 - share;
    blended[to + TARGET.objectness] = share * sigmoid(taught[from + BOX_COLUMNS]);
    for (let c = 0; c < classes; c++) {
      const at = to + TARGET.classes + c;
      blended[at] = (1 - share) * target[at] + share * sigmoid(taught[from + CLASS_COLUMN + c]);
    }
  }
  return blended;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
