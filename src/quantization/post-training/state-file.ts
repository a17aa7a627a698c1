import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { LcqError } from '../../errors.js';
import { TRAINING_DOMAIN } from '../../onnx/domains.js';
import type { Graph } from '../../onnx/graph.js';
import { decodeModel, encodeModel } from '../../onnx/serde.js';
import { standardModel } from './network-runner.js';
import type { BlockReport, FittedNetwork } from './quantize-network.js';

/** A reconstruction after some of its blocks. */
export interface ReconstructionState {
  readonly network: FittedNetwork;
  readonly blocks: readonly BlockReport[];
}

/** Writes the state as one ONNX file. A kill at any moment leaves the old file or the new one, never half of one. */
export async function writeState(
  path: string,
  { network, blocks }: ReconstructionState,
  fingerprint: string,
): Promise<void> {
  const model = standardModel(network.graph);
  model.opsets[TRAINING_DOMAIN] = 1;
  model.metadata = {
    'lcq.fingerprint': fingerprint,
    'lcq.reconstruction': JSON.stringify({
      plan: network.blocks,
      layers: network.layers,
      blocks,
    }),
  };
  await writeFile(`${path}.partial`, encodeModel(model));
  await rename(`${path}.partial`, path);
}

/**
 * @param fingerprint of the model and the settings, which must be those that the state was written with
 * @throws LcqError NOT_FOUND or INVALID_ARGUMENT naming the file
 */
export async function readState(path: string, fingerprint: string): Promise<ReconstructionState> {
  const bytes = await readFile(path).catch((cause) => {
    throw new LcqError('NOT_FOUND', `there is nothing to resume at '${path}'`, { cause });
  });
  const { graph, metadata } = decodeModel(bytes);
  if (metadata['lcq.fingerprint'] !== fingerprint) {
    throw new LcqError(
      'INVALID_ARGUMENT',
      `'${path}' was written for another model or other settings`,
    );
  }
  const { plan, layers, blocks } = JSON.parse(metadata['lcq.reconstruction']);
  return { network: { graph: graph as Graph, blocks: plan, layers }, blocks };
}

export async function removeState(path: string): Promise<void> {
  await rm(path, { force: true });
}
