import { TRAINING_DOMAIN } from '../onnx/domains.js';
import { elementsOf } from '../onnx/elements.js';
import type { Graph, TensorData } from '../onnx/graph.js';

/** What a trained initializer is for; its optimizer settings follow from that. */
export type ParameterRole = 'weight' | 'affine' | 'clip' | 'compander' | 'statistic';

export interface Parameter {
  readonly name: string;
  readonly role: ParameterRole;
  readonly shape: readonly number[];
}

const ROLES: Readonly<Record<string, readonly (ParameterRole | null)[]>> = {
  Conv: [null, 'weight', 'affine'],
  Gemm: [null, 'weight', 'affine'],
  BatchNormalization: [null, 'affine', 'affine', 'statistic', 'statistic'],
  [`${TRAINING_DOMAIN}:Quantize`]: ['weight', 'clip', 'compander'],
  [`${TRAINING_DOMAIN}:UniformQuantize`]: ['weight'],
  // The first step of limited weight normalization reads the weights.
  ReduceMean: ['weight'],
};

/** The parameters of a forward graph in the order of their first use, by the ops that read them. */
export function parametersOf(graph: Graph): Parameter[] {
  const found = new Map<string, Parameter>();
  for (const node of graph.nodes) {
    const roles = ROLES[node.domain ? `${node.domain}:${node.opType}` : node.opType] ?? [];
    node.inputs.forEach((name, i) => {
      const role = roles[i];
      const tensor = graph.initializers.get(name);
      if (role && tensor && !found.has(name)) found.set(name, { name, role, shape: tensor.shape });
    });
  }
  return [...found.values()];
}

/** The values of an initializer as floats: read only. */
export function floatsOf(graph: Graph, name: string): Float32Array {
  return elementsOf(graph.initializers.get(name) as TensorData, 'float32');
}

/** A graph with some initializers replaced; the original is left as it was. */
export function withParameters(graph: Graph, values: ReadonlyMap<string, Float32Array>): Graph {
  const initializers = new Map(graph.initializers);
  for (const [name, floats] of values) {
    const old = initializers.get(name);
    if (!old) throw new TypeError(`no initializer '${name}'`);
    const data = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
    initializers.set(name, { ...old, data });
  }
  return { ...graph, initializers };
}
