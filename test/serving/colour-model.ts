import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelSession, Tensor } from '../../src/runtime/session.js';

export const COLOUR_MODEL_SIZE = 8;
const AREA = COLOUR_MODEL_SIZE * COLOUR_MODEL_SIZE;

/** The logits of the colour model for one picture of `[height, width, 3]` bytes: its mean red, green and blue / 16. */
export function colourLogits(pixels: ArrayLike<number>): number[] {
  return [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let i = channel; i < pixels.length; i += 3) sum += pixels[i];
    return Math.fround((sum * 3) / pixels.length / 16);
  });
}

export interface ColourSession extends ModelSession {
  /** Rows of every batch that was run. */
  readonly batches: number[];
  disposed: boolean;
}

/** A session whose answer can be told from the picture: `image` UINT8 [-1,8,8,3] to `logits` FP32 [-1,3]. */
export function colourSession(beforeRun: () => Promise<void> = async () => {}): ColourSession {
  return {
    inputs: [
      { name: 'image', datatype: 'UINT8', shape: [-1, COLOUR_MODEL_SIZE, COLOUR_MODEL_SIZE, 3] },
    ],
    outputs: [{ name: 'logits', datatype: 'FP32', shape: [-1, 3] }],
    batches: [],
    disposed: false,
    async run({ image }) {
      this.batches.push(image.shape[0]);
      await beforeRun();
      return { logits: logitsOf(image) };
    },
    async dispose() {
      this.disposed = true;
    },
  };
}

function logitsOf(image: Tensor): Tensor {
  const pixels = image.data as Uint8Array;
  const rows = image.shape[0];
  const data = new Float32Array(rows * 3);
  for (let n = 0; n < rows; n++) {
    data.set(colourLogits(pixels.subarray(n * AREA * 3, (n + 1) * AREA * 3)), n * 3);
  }
  return { datatype: 'FP32', shape: [rows, 3], data };
}

export const COLOUR_CONFIG = {
  task: 'classification',
  input: { name: 'image', layout: 'NHWC', width: COLOUR_MODEL_SIZE, height: COLOUR_MODEL_SIZE },
  output: { name: 'logits', activation: 'softmax' },
  labels: 'labels.txt',
  maxBatchSize: 8,
};

/** Writes a repository with the model `colours`, version 3, and hands its path to `use`; removes it afterwards. */
export async function withColourRepository<T>(use: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'lcq-repository-'));
  try {
    await mkdir(join(root, 'colours', '3'), { recursive: true });
    await writeFile(join(root, 'colours', 'config.json'), JSON.stringify(COLOUR_CONFIG));
    await writeFile(join(root, 'colours', 'labels.txt'), 'red\ngreen\nblue\n');
    await writeFile(join(root, 'colours', '3', 'model.onnx'), 'read by a fake session only');
    return await use(root);
  } finally {
    await rm(root, { recursive: true });
  }
}
