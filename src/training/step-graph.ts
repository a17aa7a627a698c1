import { GraphBuilder, type Value } from '../onnx/builder.js';
import type { Graph, Model } from '../onnx/graph.js';
import { lower } from './autodiff.js';
import { type Parameter, type ParameterRole, parametersOf } from './parameters.js';
import type { Task } from './tasks/task.js';

export interface OptimizerSettings {
  readonly momentum: number;
  /** L2 decay of weights; nothing else decays. */
  readonly weightDecay: number;
  /** Learning rate of each role relative to the schedule's. */
  readonly rateScale: Readonly<Record<ParameterRole, number>>;
}

/** One optimisation step as a model: forward, gradients and update. */
export interface StepGraph {
  readonly model: Model;
  readonly parameters: readonly Parameter[];
  /** Names of the parameters that have a momentum. */
  readonly trained: readonly string[];
}

/** Name of the momentum input of a parameter; outputs carry the prefix `next:` before either name. */
export const momentumOf = (name: string): string => `momentum:${name}`;
export const nextOf = (name: string): string => `next:${name}`;

const OPSETS = { '': 18, 'com.microsoft': 1 };

function toModel(graph: Graph): Model {
  return {
    irVersion: 8,
    producer: 'lcq-serving',
    opsets: OPSETS,
    graph,
    functions: [],
    metadata: {},
  };
}

/**
 * Builds the step graph of a network and a task for a fixed batch.
 *
 * Inputs: the forward graph's image input, `target` float32 [batch, ...targetShape], `rate` float32 [], every
 * parameter, and `momentum:NAME` for each trained one. Outputs: `loss` [], `output` (the network's), `next:NAME` for
 * every parameter and momentum. The update is SGD with Nesterov momentum: m' = mu m + g, p' = p - rate (g + mu m').
 */
export function buildStepGraph(
  graph: Graph,
  batch: number,
  task: Pick<Task, 'imageSize' | 'targetShape' | 'loss'>,
  settings: OptimizerSettings,
): StepGraph {
  const b = new GraphBuilder('training_step');
  const parameters = parametersOf(graph);
  const trained = parameters.filter(
    (p) => p.role !== 'statistic' && settings.rateScale[p.role] !== 0,
  );
  const image = graph.inputs[0];
  const pixels = b.input(image.name, [batch, ...task.imageSize, 3], image.type.dtype);
  const bindings = new Map([[image.name, pixels]]);
  const target = b.input('target', [batch, ...task.targetShape]);
  for (const p of parameters) bindings.set(p.name, b.input(p.name, p.shape));
  const rate = b.input('rate', []);

  const wanted = new Set(trained.map((p) => p.name));
  const lowered = lower(b, graph, bindings, wanted, true);
  const [{ name }] = graph.outputs;
  const output = lowered.values.get(name) as Value;
  const { loss, gradient } = task.loss(b, output, target);
  const gradients = lowered.backward(name, gradient);

  b.output('loss', loss);
  b.output('output', output);
  for (const [name, next] of lowered.updates) b.output(nextOf(name), next);
  for (const p of trained) {
    const value = bindings.get(p.name) as Value;
    const gradient = gradients.get(p.name);
    if (!gradient) throw new TypeError(`parameter '${p.name}' does not reach the loss`);
    const momentum = b.input(momentumOf(p.name), p.shape);
    const { next, nextMomentum } = sgd(b, p, { value, gradient, momentum, rate }, settings);
    b.output(nextOf(p.name), next);
    b.output(nextOf(momentumOf(p.name)), nextMomentum);
  }
  return { model: toModel(b.graph), parameters, trained: trained.map((p) => p.name) };
}

/** The forward graph alone with stored statistics, for evaluation. Inputs and outputs as in the step graph. */
export function buildForwardGraph(graph: Graph, imageShape: readonly number[]): Model {
  const b = new GraphBuilder('forward');
  const image = graph.inputs[0];
  const bindings = new Map([[image.name, b.input(image.name, imageShape, image.type.dtype)]]);
  const lowered = lower(b, graph, bindings, new Set(), false);
  b.output('output', lowered.values.get(graph.outputs[0].name) as Value);
  return toModel(b.graph);
}

function sgd(
  b: GraphBuilder,
  parameter: Parameter,
  { value, gradient, momentum, rate }: Record<'value' | 'gradient' | 'momentum' | 'rate', Value>,
  settings: OptimizerSettings,
): { next: Value; nextMomentum: Value } {
  const decays = parameter.role === 'weight' && settings.weightDecay > 0;
  const g = decays ? b.add(gradient, b.mul(value, b.scalar(settings.weightDecay))) : gradient;
  const mu = b.scalar(settings.momentum);
  const nextMomentum = b.add(b.mul(momentum, mu), g);
  const direction = b.add(g, b.mul(nextMomentum, mu));
  const scale = settings.rateScale[parameter.role];
  const step = scale === 1 ? rate : b.mul(rate, b.scalar(scale));
  return { next: b.sub(value, b.mul(direction, step)), nextMomentum };
}
