import { LcqError } from '../errors.js';
import type { GraphBuilder, Value } from '../onnx/builder.js';
import type { Graph } from '../onnx/graph.js';
import { GRADIENT_TABLE } from './gradients/table.js';

/** A forward graph lowered into a builder, with what is needed to go back through it. */
export interface Lowered {
  /** The lowered value of each name of the forward graph. */
  readonly values: ReadonlyMap<string, Value>;
  /** Next values of stored statistics (running means and variances), by initializer name. */
  readonly updates: ReadonlyMap<string, Value>;
  /** Reverse-mode: from the gradient of one value to those of the `wanted` names that it depends on. */
  backward(of: string, dy: Value): Map<string, Value>;
}

interface Step {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly pullback: (dy: Value) => readonly ((() => Value) | null)[];
}

/**
 * Emits the nodes of `graph` into `builder`, each by its row of the gradient table.
 * @param bindings values for the graph's inputs and parameters; other initializers become constants
 * @param wanted names whose gradients `backward` will deliver
 * @param training whether batch normalization uses the statistics of the batch
 * @throws LcqError UNSUPPORTED naming the node that has no row in the table
 */
export function lower(
  builder: GraphBuilder,
  graph: Graph,
  bindings: ReadonlyMap<string, Value>,
  wanted: ReadonlySet<string>,
  training: boolean,
): Lowered {
  const values = new Map(bindings);
  const updates = new Map<string, Value>();
  const dependent = new Set(wanted);
  const steps: Step[] = [];
  const lookUp = (name: string): Value => {
    let value = values.get(name);
    if (!value) {
      const tensor = graph.initializers.get(name);
      if (!tensor) throw new LcqError('INVALID_ARGUMENT', `value '${name}' is not defined`);
      value = builder.tensor(tensor);
      values.set(name, value);
    }
    return value;
  };

  for (const node of graph.nodes) {
    const key = node.domain ? `${node.domain}:${node.opType}` : node.opType;
    const rule = GRADIENT_TABLE[key];
    if (!rule) {
      throw new LcqError('UNSUPPORTED', `node '${node.name}': op ${key} has no gradient rule`);
    }
    const { output, pullback } = rule({
      builder,
      node,
      training,
      inputs: node.inputs.flatMap((name) => (name === '' ? [] : [lookUp(name)])),
      constant: (i) => {
        const tensor = graph.initializers.get(node.inputs[i]);
        if (tensor) return tensor;
        throw new LcqError(
          'UNSUPPORTED',
          `node '${node.name}' (${key}): input ${i} must be constant`,
        );
      },
      update: (i, next) => updates.set(node.inputs[i], next),
    });
    values.set(node.outputs[0], output);
    if (node.inputs.some((name) => dependent.has(name))) {
      dependent.add(node.outputs[0]);
      steps.push({ inputs: node.inputs, output: node.outputs[0], pullback });
    }
  }

  const backward = (of: string, dy: Value): Map<string, Value> => {
    const gradients = new Map([[of, dy]]);
    for (const step of steps.toReversed()) {
      const gradient = gradients.get(step.output);
      if (!gradient) continue;
      step.pullback(gradient).forEach((thunk, i) => {
        const name = step.inputs[i];
        if (!thunk || !dependent.has(name)) return;
        const known = gradients.get(name);
        const part = thunk();
        gradients.set(name, known ? builder.add(known, part) : part);
      });
    }
    return gradients;
  };
  return { values, updates, backward };
}
