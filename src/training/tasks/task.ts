import type { GraphBuilder, Value } from '../../onnx/builder.js';
import type { Random } from '../random.js';

/** Images of one step, and what the network shall make of them. */
export interface Batch {
  /** [batch, height, width, 3] */
  readonly pixels: Uint8Array;
  /** [batch, ...targetShape] */
  readonly target: Float32Array;
}

/** What a network learns, from which images. The trainer knows nothing of labels or boxes but this. */
export interface Task {
  /** Training images. */
  readonly count: number;
  /** Their height and width. */
  readonly imageSize: readonly [number, number];
  /** The shape of what the network makes of one image. */
  readonly outputShape: readonly number[];
  /** The shape of one image's target. */
  readonly targetShape: readonly number[];
  /** The images at `indices`, augmented as `random` decides. */
  batch(indices: ArrayLike<number>, random: Random): Batch;
  /**
   * Targets moved towards what a teacher made of the same images.
   * @param taught the teacher's output
   * @param share of the teacher, 0 to 1
   */
  distil(target: Float32Array, taught: Float32Array, share: number): Float32Array;
  /** Emits the loss of a batch, a scalar, and its gradient with respect to the network's output. */
  loss(b: GraphBuilder, output: Value, target: Value): { loss: Value; gradient: Value };
  /** How many images of a batch the network got right, for tasks where that can be told at a glance. */
  countRight?(output: Float32Array, target: Float32Array): number;
}
