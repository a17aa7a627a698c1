import { GRID_CELLS, uniformCells } from '../../lcq/grid.js';
import { levelCaps } from '../../lcq/levels.js';
import { uniformSteps } from '../../lcq/uniform-quantizer.js';
import { TRAINING_DOMAIN } from '../../onnx/domains.js';
import { tensorOf } from '../../onnx/elements.js';
import type { Attribute, Graph, Node, TensorData } from '../../onnx/graph.js';
import { floatsOf } from '../../training/parameters.js';
import type { QuantizationPlan } from './plan.js';

/** The quantizer of an activation. */
export interface ActivationFit {
  readonly alpha: number;
  readonly theta: Float32Array;
  readonly signed: boolean;
}

/** The quantizer of a layer's weights: one clip an output channel, or one for all. */
export interface WeightFit {
  readonly clips: Float32Array;
  readonly theta: Float32Array;
}

export interface Fits {
  readonly activations: ReadonlyMap<string, ActivationFit>;
  /** By node. Layers without one get 8 uniform bits. */
  readonly weights: ReadonlyMap<Node, WeightFit>;
}

/** Gradients of the clip and compander of an activation are estimated from this part of the batch. */
const ACTIVATION_SHARE = 4;
const UNIFORM_STEPS = 127;
const MAX_SIGNED_LEVEL = 127;

/**
 * Inserts the quantizers of a plan into a canonical graph: Quantize on every planned activation, clip Q(v) on the
 * weights v = w / clip of every planned layer, which take the place of w: a clip that moves later takes its weights along,
 * and none of them changes its code. The nodes of the graph keep their names and order.
 */
export function insertFittedQuantizers(graph: Graph, plan: QuantizationPlan, fits: Fits): Graph {
  const inserter = new Inserter(graph, plan, fits);
  return inserter.run();
}

/** The largest integer level of an activation: signed ones lie in a byte around 128. */
export function activationCap(bits: number, signed: boolean): number {
  const { activations } = levelCaps[bits];
  return signed ? Math.min(activations, MAX_SIGNED_LEVEL) : activations;
}

/** Names of the parameters that `insertFittedQuantizers` adds. */
export const alphaOf = (value: string): string => `${value}.alpha`;
export const thetaOf = (value: string): string => `${value}.theta`;
export const clipOf = (weight: string): string => `${weight}.clip`;

/** Weights in units of their clips: of one for each row, or of one for all. */
export function inClips(weights: Float32Array, clips: Float32Array): Float32Array {
  const size = weights.length / clips.length;
  return weights.map((w, i) => w / clips[Math.floor(i / size)]);
}

class Inserter {
  private readonly source: Graph;
  private readonly plan: QuantizationPlan;
  private readonly fits: Fits;
  private readonly initializers: Map<string, TensorData>;
  private readonly nodes: Node[] = [];

  constructor(source: Graph, plan: QuantizationPlan, fits: Fits) {
    this.source = source;
    this.plan = plan;
    this.fits = fits;
    this.initializers = new Map(source.initializers);
  }

  run(): Graph {
    for (const { name } of this.source.inputs) this.activation(name);
    for (const node of this.source.nodes) {
      const layer = this.plan.layers.get(node);
      if (layer) {
        const [x, w, ...rest] = node.inputs;
        const codes = this.plan.activations.has(x) ? `${x}.quantized` : x;
        this.nodes.push({
          ...node,
          inputs: [codes, this.weight(node, w, layer.weightBits), ...rest],
        });
      } else this.nodes.push(node);
      for (const output of node.outputs) this.activation(output);
    }
    return { ...this.source, nodes: this.nodes, initializers: this.initializers };
  }

  private activation(value: string): void {
    const bits = this.plan.activations.get(value);
    const fit = this.fits.activations.get(value);
    if (bits === undefined || !fit) return;
    this.quantize(value, value, Float32Array.of(fit.alpha), fit.theta, {
      bits: { int: bits },
      signed: { int: fit.signed ? 1 : 0 },
      cap: { float: activationCap(bits, fit.signed) },
      // 8 bits are uniform.
      cells: { int: bits < 8 ? GRID_CELLS : uniformCells(uniformSteps(bits, fit.signed)) },
      share: { int: ACTIVATION_SHARE },
    });
  }

  private weight(node: Node, w: string, bits: number): string {
    const fit = this.fits.weights.get(node);
    if (!fit) {
      const attributes = { steps: { int: UNIFORM_STEPS } };
      return this.emit('UniformQuantize', [w], `${w}.quantized`, attributes, TRAINING_DOMAIN);
    }
    const { clips, theta } = fit;
    const clip = this.constant(clipOf(w), [clips.length, 1, 1, 1], clips);
    const { shape } = this.source.initializers.get(w) as TensorData;
    this.constant(w, shape, inClips(floatsOf(this.source, w), clips));
    const quantized = this.quantize(w, w, Float32Array.of(1), theta, {
      bits: { int: bits },
      signed: { int: 1 },
      cap: { float: levelCaps[bits].weights },
      cells: { int: GRID_CELLS },
      share: { int: 1 },
    });
    return this.emit('Mul', [quantized, clip], `${w}.restored`);
  }

  private quantize(
    name: string,
    x: string,
    alpha: Float32Array,
    theta: Float32Array,
    attributes: Record<string, Attribute>,
  ): string {
    const inputs = [
      x,
      this.constant(alphaOf(name), [1], alpha),
      this.constant(thetaOf(name), [theta.length], theta),
    ];
    const all = { ...attributes, chain: { int: 0 } };
    return this.emit('Quantize', inputs, `${name}.quantized`, all, TRAINING_DOMAIN);
  }

  private constant(name: string, shape: readonly number[], values: Float32Array): string {
    this.initializers.set(name, tensorOf('float32', shape, values));
    return name;
  }

  private emit(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): string {
    this.nodes.push({ name: output, opType, domain, inputs, outputs: [output], attributes });
    return output;
  }
}
