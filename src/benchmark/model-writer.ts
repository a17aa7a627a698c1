import { type Elements, type ElementType, elementCount, tensorOf } from '../onnx/elements.js';
import type { Attribute, FunctionDef, Model, NamedType, Node, TensorData } from '../onnx/graph.js';
import { lcqValueTypes } from '../onnx/lcq-shapes.js';
import { CLASSES } from './network.js';

/** Collects the nodes and random constants of one model. */
export class ModelWriter {
  private readonly nodes: Node[] = [];
  private readonly initializers = new Map<string, TensorData>();
  private state = 1;

  /** Returns the name of the first output. */
  node(
    opType: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    this.nodes.push({ name: outputs[0], opType, domain, inputs, outputs, attributes });
    return outputs[0];
  }

  constant<T extends ElementType>(
    name: string,
    dtype: T,
    elements: Elements<T>,
    shape: readonly number[] = [elements.length],
  ): string {
    this.initializers.set(name, tensorOf(dtype, shape, elements));
    return name;
  }

  /** Uniform in [low, high); the same in every run. */
  random(low: number, high: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) | 0;
    return low + ((this.state >>> 0) / 2 ** 32) * (high - low);
  }

  randomFloats(shape: readonly number[], magnitude: number): Float32Array {
    const values = new Float32Array(elementCount(shape));
    return values.map(() => this.random(-magnitude, magnitude));
  }

  /** Its output is `logits`, float32 [N, CLASSES]. */
  model(
    name: string,
    image: NamedType,
    opsets: Record<string, number>,
    functions: readonly FunctionDef[],
  ): Model {
    return {
      irVersion: 10,
      producer: 'lcq-serving',
      opsets,
      graph: {
        name,
        inputs: [image],
        outputs: [{ name: 'logits', type: { dtype: 'float32', shape: ['N', CLASSES] } }],
        initializers: this.initializers,
        nodes: this.nodes,
        values: lcqValueTypes(this.nodes, [[image.name, image.type.shape]]),
      },
      functions: [...functions],
      metadata: {},
    };
  }
}
