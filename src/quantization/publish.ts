import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Graph, Model } from '../onnx/graph.js';
import { encodeModel } from '../onnx/serde.js';

/** A classifier that a server can load, with all that it needs beyond the graph. */
export interface Publication {
  readonly model: Model;
  readonly labels: readonly string[];
  /** Height and width of the images that the model takes. */
  readonly imageSize: readonly [number, number];
}

const VERSION = '1';

/**
 * Writes config.json, labels.txt and 1/model.onnx into a folder of a model repository; other files there, such as a
 * model card, stay. Each file is replaced whole, and config.json comes last: without it the folder is no model.
 */
export async function publish(folder: string, publication: Publication): Promise<void> {
  const { model, labels, imageSize } = publication;
  const config = {
    task: 'classification',
    input: {
      name: model.graph.inputs[0].name,
      layout: 'NHWC',
      width: imageSize[1],
      height: imageSize[0],
      resize: 'cover',
    },
    output: { name: model.graph.outputs[0].name, activation: 'softmax' },
    labels: 'labels.txt',
    maxBatchSize: 32,
  };
  await publishFiles(folder, model, config, labels);
}

/**
 * Writes a model with a config.json of its own, and labels.txt where there are labels; see `publish`.
 * @param config as the repository reads it
 */
export async function publishFiles(
  folder: string,
  model: Model,
  config: object,
  labels: readonly string[] | undefined,
): Promise<void> {
  await mkdir(join(folder, VERSION), { recursive: true });
  await replace(join(folder, VERSION, 'model.onnx'), encodeModel(model));
  if (labels) await replace(join(folder, 'labels.txt'), `${labels.join('\n')}\n`);
  await replace(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

async function replace(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.partial`, content);
  await rename(`${path}.partial`, path);
}

/** A trained full-precision network as a plain ONNX model with a free batch. */
export function fullPrecisionModel(graph: Graph, imageSize: readonly [number, number]): Model {
  const [image] = graph.inputs;
  const type = { dtype: image.type.dtype, shape: ['N', ...imageSize, 3] };
  return {
    irVersion: 8,
    producer: 'lcq-serving',
    opsets: { '': 18 },
    graph: { ...graph, inputs: [{ name: image.name, type }] },
    functions: [],
    metadata: {},
  };
}
