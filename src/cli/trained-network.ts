import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LcqError } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { decodeModel } from '../onnx/serde.js';
import { verifyModel } from '../onnx/verifier.js';
import type { ModelConfig } from '../repository/model-config.js';
import { parseLabels } from '../repository/repository.js';
import { byteImage } from '../training/byte-image.js';
import { checkpointOf, isCheckpoint } from '../training/checkpoint.js';
import { readModelFile } from './model-bytes.js';
import { findModel } from './open-model.js';

/** A network that was trained before, to go on from or to learn from. */
export interface TrainedNetwork {
  readonly graph: Graph;
  readonly classes: readonly string[];
}

/**
 * Reads a checkpoint of `lcq train`, or a servable model by its folder, REPOSITORY/NAME, or by its file in there,
 * VERSION/model.onnx: the classes of a model are its labels.
 * @throws LcqError NOT_FOUND or INVALID_ARGUMENT naming the file
 */
export async function readTrainedNetwork(path: string): Promise<TrainedNetwork> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) {
    const { modelPath, labels, config } = await findModel(path);
    if (labels.length === 0) throw new LcqError('INVALID_ARGUMENT', `'${path}' has no labels`);
    return { graph: ofBytes(await readGraph(modelPath), config), classes: labels };
  }
  const model = decodeModel(await readModelFile(path));
  verifyModel(model);
  if (isCheckpoint(model)) return checkpointOf(path, model);
  return { graph: model.graph, classes: await labelsBeside(path) };
}

/** A graph that takes the bytes of a picture, where its server normalizes them for it. */
function ofBytes(graph: Graph, { input }: ModelConfig): Graph {
  const [image] = graph.inputs;
  const { normalization, channels, layout } = input;
  if (image.type.dtype !== 'float32' || channels !== 'RGB' || layout !== 'NCHW') return graph;
  return normalization ? byteImage(graph, normalization) : graph;
}

async function readGraph(path: string): Promise<Graph> {
  const model = decodeModel(await readModelFile(path));
  verifyModel(model);
  return model.graph;
}

async function labelsBeside(path: string): Promise<readonly string[]> {
  const labels = resolve(dirname(path), '..', 'labels.txt');
  try {
    return parseLabels(await readFile(labels, 'utf8'));
  } catch (cause) {
    const message = `'${path}' is not a checkpoint of lcq train, and its classes are not in '${labels}'`;
    throw new LcqError('NOT_FOUND', message, { cause });
  }
}
