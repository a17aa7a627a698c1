import { LcqError } from '../errors.js';
import type { Detection } from '../vision/detection.js';
import { averagePrecision, type ComparedPicture, IOU_THRESHOLDS } from './average-precision.js';
import type { CocoDataset, CocoPicture } from './coco-annotations.js';

export interface ClassPrecision {
  readonly label: string;
  /** Marked objects, crowds not counted. */
  readonly objects: number;
  /** Average precision, 0 to 1: the mean over IoU 0.50 to 0.95, and at 0.50. */
  readonly ap: number;
  readonly ap50: number;
}

export interface DetectionResult {
  readonly images: number;
  readonly objects: number;
  /** Means over the classes that the pictures have. */
  readonly map: number;
  readonly ap50: number;
  readonly ap75: number;
  readonly classes: readonly ClassPrecision[];
}

/** The objects that a model sees in a picture. */
export type Detect = (picture: CocoPicture) => Promise<readonly Detection[]>;

const AP50 = 0;
const AP75 = 5;

/**
 * Runs a detector over a data set and measures its average precision.
 * @param labels of the model, by class index; every category of the data set must be one of them
 * @throws LcqError INVALID_ARGUMENT naming a category that is no class of the model, or if no object is marked
 */
export async function evaluateDetection(
  { pictures, categories }: CocoDataset,
  labels: readonly string[],
  detect: Detect,
  onProgress: (done: number) => void = () => {},
): Promise<DetectionResult> {
  const indexOf = new Map(labels.map((label, i) => [label, i]));
  const unknown = [...categories.values()].find((name) => !indexOf.has(name));
  if (unknown !== undefined) {
    throw new LcqError('INVALID_ARGUMENT', `category '${unknown}' is no class of the model`);
  }
  const compared: ComparedPicture[] = [];
  for (const picture of pictures) {
    const objects = picture.objects.map(({ category, box, isCrowd }) => {
      return { index: indexOf.get(categories.get(category) as string) as number, box, isCrowd };
    });
    compared.push({ objects, detections: await detect(picture) });
    onProgress(compared.length);
  }
  return summarize(compared, labels);
}

function summarize(
  pictures: readonly ComparedPicture[],
  labels: readonly string[],
): DetectionResult {
  const classes = labels.flatMap((label, index) => {
    const precisions = IOU_THRESHOLDS.map((iou) => averagePrecision(pictures, index, iou) ?? -1);
    if (precisions[0] < 0) return [];
    const objects = pictures
      .flatMap((picture) => picture.objects)
      .filter((object) => object.index === index && !object.isCrowd).length;
    const [ap50, ap75] = [precisions[AP50], precisions[AP75]];
    return [{ label, objects, ap: mean(precisions), ap50, ap75 }];
  });
  if (classes.length === 0) {
    throw new LcqError('INVALID_ARGUMENT', 'the data set marks no object');
  }
  return {
    images: pictures.length,
    objects: classes.reduce((sum, { objects }) => sum + objects, 0),
    map: mean(classes.map(({ ap }) => ap)),
    ap50: mean(classes.map(({ ap50 }) => ap50)),
    ap75: mean(classes.map(({ ap75 }) => ap75)),
    classes: classes.map(({ label, objects, ap, ap50 }) => ({ label, objects, ap, ap50 })),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
