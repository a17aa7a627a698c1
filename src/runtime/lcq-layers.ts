import { lcqQuantizer } from '../lcq/quantizer.js';
import type { KernelUse } from './addon.js';
import type { LcqLayer, TrainedQuantizer } from './session.js';

/**
 * The layers with weights among the nodes that were given kernels. `quantizers` is what the exporter wrote into the file
 * beside the graph, a JSON list; rows that are not what it writes are passed over.
 */
export function lcqLayers(uses: readonly KernelUse[], quantizers: string): LcqLayer[] {
  const trained = trainedQuantizers(quantizers);
  return uses.flatMap(({ node, op, kernel, layer }) => {
    if (layer === undefined) return [];
    const { input, weights, ...facts } = layer;
    const inputQuantizer = trained.get(input);
    const weightQuantizer = trained.get(weights);
    return {
      name: node,
      op,
      kernel,
      ...facts,
      ...(inputQuantizer && { inputQuantizer }),
      ...(weightQuantizer && { weightQuantizer }),
    };
  });
}

/** What the exporter says of the quantizers, by the name of what each made; see `lcqLayers`. */
export function trainedQuantizers(json: string): Map<string, TrainedQuantizer> {
  return new Map(parseRows(json).flatMap(namedQuantizer));
}

function parseRows(json: string): unknown[] {
  try {
    const rows: unknown = JSON.parse(json);
    return Array.isArray(rows) ? rows : [];
  } catch {
    return [];
  }
}

function namedQuantizer(row: unknown): [string, TrainedQuantizer][] {
  const { name, bits, alpha, theta } = Object(row);
  if (typeof name !== 'string' || !Array.isArray(theta)) return [];
  try {
    lcqQuantizer({ bits, alpha, theta, signed: false });
  } catch {
    return [];
  }
  return [[name, { bits, alpha, theta: theta.map(Number) }]];
}
