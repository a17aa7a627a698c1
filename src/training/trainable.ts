import { LcqError } from '../errors.js';
import { GraphBuilder } from '../onnx/builder.js';
import type { Graph } from '../onnx/graph.js';
import { lower } from './autodiff.js';
import { parametersOf } from './parameters.js';
import type { Task } from './tasks/task.js';

/**
 * Checks that a network fits a task and that every node of it can be trained: it may come from anywhere.
 * @param what the network is, for messages
 * @throws LcqError INVALID_ARGUMENT for other images or outputs than the task's, UNSUPPORTED naming the node or parameter
 */
export function checkTrainable(
  what: string,
  graph: Graph,
  { imageSize, outputShape }: Pick<Task, 'imageSize' | 'outputShape'>,
): void {
  checkOutput(what, graph, outputShape);
  checkInput(what, graph, imageSize);
  const parameters = parametersOf(graph);
  for (const { name } of parameters) {
    const dtype = graph.initializers.get(name)?.dtype;
    if (dtype === 'float32') continue;
    throw untrainable(what, `parameter '${name}' is ${dtype}, not float32`);
  }
  const b = new GraphBuilder('trial');
  const [{ name, type }] = graph.inputs;
  const image = b.input(name, [1, ...imageSize, 3], type.dtype);
  const bindings = parameters.map((p) => [p.name, b.input(p.name, p.shape)] as const);
  try {
    lower(b, graph, new Map([[name, image], ...bindings]), new Set(), true);
  } catch (cause) {
    // Shapes that do not fit are found by the builder, whose errors are not coded.
    throw untrainable(what, (cause as Error).message, cause);
  }
}

function checkInput(what: string, { inputs }: Graph, size: readonly [number, number]): void {
  const [first, ...others] = inputs;
  const found = `${first?.type.dtype} [${first?.type.shape}]`;
  const shape = first?.type.shape.slice(1).join();
  if (!others.length && first?.type.dtype === 'uint8' && shape === [...size, 3].join()) return;
  const wanted = `one input, uint8 [N,${size},3]`;
  throw new LcqError('INVALID_ARGUMENT', `the ${what} must have ${wanted}, not ${found}`);
}

function checkOutput(what: string, { outputs }: Graph, wanted: readonly number[]): void {
  const shape = outputs[0]?.type.shape.slice(1) ?? [];
  if (shape.join() === wanted.join()) return;
  const message = `the ${what} makes [${shape}] of an image, where the data asks for [${wanted}]`;
  throw new LcqError('INVALID_ARGUMENT', message);
}

function untrainable(what: string, why: string, cause?: unknown): LcqError {
  return new LcqError('UNSUPPORTED', `the ${what} cannot be trained: ${why}`, { cause });
}
