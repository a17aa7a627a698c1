import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lcqModel } from '../../src/benchmark/lcq-model.js';
import { IMAGE_SIZE, NETWORKS } from '../../src/benchmark/network.js';
import { LcqError } from '../../src/errors.js';
import { encodeModel } from '../../src/onnx/serde.js';

const packaged = fileURLToPath(new URL('../../../models/', import.meta.url));

/** A model of a repository, and the side of its pictures. */
export interface ServedModel {
  readonly name: string;
  readonly path: string;
  readonly side: number;
}

/**
 * Makes a model repository of what is asked for: a packaged model, or a network of `lcq bench` at 2 bits with random
 * weights. Its batches are of up to `maxBatchSize`.
 *
 * Rejects with NOT_FOUND for other names.
 */
export async function writeRepository(
  root: string,
  names: readonly string[],
  maxBatchSize: number,
): Promise<ServedModel[]> {
  const models: ServedModel[] = [];
  for (const name of names) {
    const folder = join(root, name);
    const path = join(folder, '1/model.onnx');
    if (Object.hasOwn(NETWORKS, name)) {
      await mkdir(join(folder, '1'), { recursive: true });
      await writeFile(path, encodeModel(lcqModel(NETWORKS[name](), 2)));
      const config = { ...CONFIG, maxBatchSize };
      await writeFile(join(folder, 'config.json'), JSON.stringify(config));
      models.push({ name, path, side: IMAGE_SIZE });
      continue;
    }
    await cp(join(packaged, name), folder, { recursive: true }).catch((cause: unknown) => {
      throw new LcqError('NOT_FOUND', `there is no model or network '${name}'`, { cause });
    });
    models.push({ name, path, side: 32 });
  }
  return models;
}

const CONFIG = {
  task: 'classification',
  input: { name: 'image', layout: 'NHWC', width: IMAGE_SIZE, height: IMAGE_SIZE },
  output: { name: 'logits', activation: 'softmax' },
};
