import { GraphBuilder, type Value } from '../../onnx/builder.js';
import type { Graph, Model, Node } from '../../onnx/graph.js';
import { lower } from '../../training/autodiff.js';
import { nextOf } from '../../training/step-graph.js';
import { standardModel } from './network-runner.js';

/** A parameter that reconstruction moves. */
export interface TrainedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** The way that Adam goes in one step at rate 1: one number, or one for each output channel. */
  readonly scale: Float32Array;
}

/** One step of reconstructing a block, as a model. */
export interface ReconstructionStep {
  readonly model: Model;
  /** Inputs that say for each element of an activation whether it is quantized (1) or left as it is (0). */
  readonly masks: readonly { readonly name: string; readonly size: number }[];
}

const DECAY = { first: 0.9, second: 0.999, floor: 1e-8 };

export const firstMomentOf = (name: string): string => `first:${name}`;
export const secondMomentOf = (name: string): string => `second:${name}`;

/** Adam's correction of moments that start at zero, for step 1, 2, ... */
export function correctedRate(rate: number, step: number): number {
  return (rate * Math.sqrt(1 - DECAY.second ** step)) / (1 - DECAY.first ** step);
}

/**
 * Builds a step that moves the parameters of a block towards the output of the full-precision one: the squared error,
 * its gradients and Adam. Every activation quantizer is dropped at random, element by element (QDrop, arXiv
 * 2203.05740), the same ones for all images of the batch.
 *
 * Inputs: the value that the block reads and `target`, both [batch, ...]; `rate` [] (see correctedRate); `mask:NAME` for
 * each activation quantizer; every parameter NAME with `first:NAME` and `second:NAME`. Outputs: `loss` [] (mean over the
 * batch of the sum of squares), and `next:` of every parameter and moment.
 */
export function reconstructionStep(
  block: Graph,
  input: { readonly name: string; readonly shape: readonly number[] },
  output: string,
  parameters: readonly TrainedParameter[],
): ReconstructionStep {
  const b = new GraphBuilder('reconstruction_step');
  const x = b.input(input.name, input.shape);
  const bindings = new Map<string, Value>([[input.name, x]]);
  for (const { name, shape } of parameters) bindings.set(name, b.input(name, shape));
  const rate = b.input('rate', []);
  const wanted = new Set(parameters.map(({ name }) => name));

  const quantizers = activationQuantizers(block);
  const masked = maskedShapes(block, quantizers, input);
  const masks = masked.map(({ name, shape }) => {
    bindings.set(name, b.input(name, shape));
    return { name, size: shape.reduce((a, d) => a * d, 1) };
  });
  const nodes = block.nodes.flatMap((node) => (quantizers.has(node) ? droppable(node) : [node]));
  const dropping = { ...block, nodes };
  const lowered = lower(b, dropping, bindings, wanted, false);
  const y = lowered.values.get(output) as Value;
  const target = b.input('target', y.shape);
  const difference = b.sub(y, target);
  const square = b.mul(difference, difference);
  const axes = y.shape.map((_, i) => i);
  b.output('loss', b.mul(b.reduce('Sum', square, axes), b.scalar(1 / y.shape[0])));
  const gradients = lowered.backward(output, b.mul(difference, b.scalar(2 / y.shape[0])));
  for (const parameter of parameters) {
    const gradient = gradients.get(parameter.name);
    if (!gradient) throw new TypeError(`parameter '${parameter.name}' does not reach the output`);
    adam(b, parameter, bindings.get(parameter.name) as Value, gradient, rate);
  }
  return { model: standardModel(b.graph), masks };
}

const maskOf = (quantize: Node): string => `mask:${quantize.name}`;

/** The quantizers of activations: those of weights read what is computed from initializers alone. */
export function activationQuantizers(block: Graph): Set<Node> {
  const constant = new Set(block.initializers.keys());
  return new Set(
    block.nodes.filter((node) => {
      if (!node.inputs.every((name) => constant.has(name))) return node.opType === 'Quantize';
      for (const output of node.outputs) constant.add(output);
      return false;
    }),
  );
}

/** The quantizer of an activation as x + mask (Q(x) - x). */
function droppable(node: Node): Node[] {
  const [x] = node.inputs;
  const [y] = node.outputs;
  const plain = (opType: string, inputs: string[], to: string): Node => ({
    name: to,
    opType,
    domain: '',
    inputs,
    outputs: [to],
    attributes: {},
  });
  return [
    { ...node, outputs: [`${y}.exact`] },
    plain('Sub', [`${y}.exact`, x], `${y}.change`),
    plain('Mul', [`${y}.change`, maskOf(node)], `${y}.kept`),
    plain('Add', [x, `${y}.kept`], y),
  ];
}

/** The masks of a block: one element for each of an image's. */
function maskedShapes(
  block: Graph,
  quantizers: ReadonlySet<Node>,
  input: { readonly name: string; readonly shape: readonly number[] },
) {
  const b = new GraphBuilder('shapes');
  const bindings = new Map([[input.name, b.input(input.name, input.shape)]]);
  const { values } = lower(b, block, bindings, new Set(), false);
  return [...quantizers].map((node) => ({
    name: maskOf(node),
    shape: (values.get(node.outputs[0]) as Value).shape.slice(1),
  }));
}

function adam(
  b: GraphBuilder,
  { name, shape, scale }: TrainedParameter,
  value: Value,
  gradient: Value,
  rate: Value,
): void {
  const average = (moment: Value, fresh: Value, decay: number) =>
    b.add(b.mul(moment, b.scalar(decay)), b.mul(fresh, b.scalar(1 - decay)));
  const first = average(b.input(firstMomentOf(name), shape), gradient, DECAY.first);
  const squared = b.mul(gradient, gradient);
  const second = average(b.input(secondMomentOf(name), shape), squared, DECAY.second);
  const direction = b.div(first, b.add(b.unary('Sqrt', second), b.scalar(DECAY.floor)));
  const scales = b.floats(scale, [scale.length, ...shape.slice(1).map(() => 1)]);
  b.output(nextOf(name), b.sub(value, b.mul(direction, b.mul(scales, rate))));
  b.output(nextOf(firstMomentOf(name)), first);
  b.output(nextOf(secondMomentOf(name)), second);
}
