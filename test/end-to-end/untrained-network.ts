import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeModel } from '../../src/onnx/serde.js';
import { cifarResNet } from '../../src/training/networks/resnet.js';

export const LABELS = ['one', 'two', 'three', 'four'];

/** An untrained ResNet-8 for 16 x 16 pictures: its answers mean nothing, but they are exact. Others by the seed. */
export function untrainedNetwork(seed = 1): Uint8Array {
  return encodeModel({
    irVersion: 10,
    producer: 'test',
    opsets: { '': 21 },
    graph: cifarResNet(8, LABELS.length, 16, seed),
    functions: [],
    metadata: {},
  });
}

/** Writes a repository with the model `net`, version 1, of [N,16,16,3] pictures, and removes it afterwards. */
export async function withUntrainedNetwork<T>(
  use: (root: string, modelPath: string) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'lcq-repository-'));
  try {
    const modelPath = join(root, 'net', '1', 'model.onnx');
    await mkdir(join(root, 'net', '1'), { recursive: true });
    await writeFile(modelPath, untrainedNetwork());
    await writeFile(join(root, 'net', 'labels.txt'), LABELS.join('\n'));
    const config = {
      task: 'classification',
      input: { name: 'image', layout: 'NHWC', width: 16, height: 16 },
      output: { name: 'logits', activation: 'softmax' },
      labels: 'labels.txt',
      maxBatchSize: 8,
    };
    await writeFile(join(root, 'net', 'config.json'), JSON.stringify(config));
    return await use(root, modelPath);
  } finally {
    await rm(root, { recursive: true });
  }
}
