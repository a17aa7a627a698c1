import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { createLcqSession } from '../../src/runtime/lcq-session.js';

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
/** Two models of one input and output, of which either may stand under the name of the other. */
export const FOLDERS = { A: 'resnet20-cifar10-w2a2', B: 'resnet20-cifar10-fp32' } as const;
export type ModelKey = keyof typeof FOLDERS;

export const SIZE = 32;
const CLASSES = 10;
const PICTURES = 12;
/** How far an answer may be off: the kernels agree to the bit, floating-point ones not over all batch sizes. */
const TOLERANCE = 1e-3;

/** A picture, and the logits that each model has for it, from a session of this process. */
export interface Question {
  readonly pixels: Uint8Array;
  readonly png: Buffer;
  readonly logits: Readonly<Record<ModelKey, readonly number[]>>;
}

export const modelPath = (key: ModelKey) => join(MODELS, FOLDERS[key], '1', 'model.onnx');
export const modelFolder = (key: ModelKey) => join(MODELS, FOLDERS[key]);

/** Pictures on which the two models clearly differ. */
export async function makeQuestions(): Promise<Question[]> {
  const pictures = Array.from({ length: PICTURES }, (_, seed) => picture(seed));
  const answers = { A: await answersOf('A', pictures), B: await answersOf('B', pictures) };
  return Promise.all(
    pictures.map(async (pixels, i) => {
      const raw = { width: SIZE, height: SIZE, channels: 3 } as const;
      const png = await sharp(pixels, { raw }).png().toBuffer();
      const logits = { A: answers.A[i], B: answers.B[i] };
      if (matches(logits.A, logits.B, 100 * TOLERANCE)) throw new Error('the models are alike');
      return { pixels, png, logits };
    }),
  );
}

/** Whose answer these logits are: one row for each question, all by one model. Undefined: nobody's. */
export function whoseLogits(
  questions: readonly Question[],
  logits: Float32Array,
): ModelKey | undefined {
  if (logits.length !== questions.length * CLASSES) return undefined;
  const row = (i: number) => [...logits.subarray(i * CLASSES, (i + 1) * CLASSES)];
  return keys.find((key) => questions.every(({ logits }, i) => matches(row(i), logits[key])));
}

/** Whose answer this classification is, of all classes. */
export function whosePredictions(
  { logits }: Question,
  predictions: readonly { readonly index: number; readonly score: number }[],
): ModelKey | undefined {
  if (predictions.length !== CLASSES) return undefined;
  const scores = new Array<number>(CLASSES).fill(Number.NaN);
  for (const { index, score } of predictions) scores[index] = score;
  return keys.find((key) => matches(scores, softmax(logits[key])));
}

const keys = Object.keys(FOLDERS) as ModelKey[];

const matches = (got: readonly number[], wanted: readonly number[], tolerance = TOLERANCE) =>
  got.every((value, i) => Math.abs(value - wanted[i]) <= tolerance);

function softmax(logits: readonly number[]): number[] {
  const powers = logits.map((value) => Math.exp(value - Math.max(...logits)));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

async function answersOf(key: ModelKey, pictures: readonly Uint8Array[]): Promise<number[][]> {
  const session = await createLcqSession(new Uint8Array(await readFile(modelPath(key))));
  const answers: number[][] = [];
  for (const data of pictures) {
    const image = { datatype: 'UINT8', shape: [1, SIZE, SIZE, 3], data } as const;
    answers.push([...((await session.run({ image })).logits.data as Float32Array)]);
  }
  await session.dispose();
  return answers;
}

/** Two colours, split at a line; of another kind for every seed. */
function picture(seed: number): Uint8Array {
  const colour = (i: number) => (Math.imul(seed * 6 + i + 1, 2654435761) >>> 8) % 256;
  return Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % SIZE, Math.floor(i / 3 / SIZE)];
    const isAbove = (seed % 3) * x + y * ((seed % 2) + 1) > 8 + seed * 3;
    return colour((i % 3) + (isAbove ? 3 : 0));
  });
}
