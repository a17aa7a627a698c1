import { LcqError } from '../errors.js';
import { intAttribute } from '../onnx/attributes.js';
import { LCQ_DOMAIN } from '../onnx/domains.js';
import { elementsOf } from '../onnx/elements.js';
import type { Graph, Model, Node } from '../onnx/graph.js';
import { canonicalGraph } from '../onnx/passes/canonical.js';
import { Topology } from '../quantization/topology.js';
import type { QuantizedLayer } from './quantized-layer.js';

/** The full-precision network that a model was quantized from, in canonical form: batch normalization is folded. */
export class Baseline {
  readonly graph: Graph;
  private readonly topology: Topology;
  /** As the file names them. */
  private readonly weightNames: ReadonlyMap<string, string>;

  /** @throws LcqError INVALID_ARGUMENT for a quantized model, UNSUPPORTED as canonicalGraph does */
  constructor(model: Model) {
    if (model.graph.nodes.some(({ domain }) => domain === LCQ_DOMAIN)) {
      throw new LcqError('INVALID_ARGUMENT', 'the baseline must be in full precision, it is LCQ');
    }
    this.graph = canonicalGraph(model);
    this.topology = new Topology(this.graph);
    this.weightNames = new Map(model.graph.nodes.map(({ name, inputs }) => [name, inputs[1]]));
  }

  /** The node that a layer was made of: of its name, or what makes its output. */
  layer({ node, weightShape }: QuantizedLayer): Node | undefined {
    const named = this.graph.nodes.find(({ name }) => name === node.name);
    const candidates = [named, this.topology.producer(node.outputs[0])];
    const [m, ...kernel] = weightShape;
    const wanted = [m, kernel.at(-1), ...kernel.slice(0, -1)].join();
    return candidates.find((candidate) => {
      return this.graph.initializers.get(candidate?.inputs[1] ?? '')?.shape.join() === wanted;
    });
  }

  /** Weights of a node of `layer`, in the order of the packed ones: [M, KH, KW, C/group] or [M, K]. */
  weights(node: Node): Float32Array {
    const tensor = this.graph.initializers.get(node.inputs[1]);
    if (!tensor) throw new TypeError(`'${node.inputs[1]}' is not an initializer`);
    const values = elementsOf(tensor, 'float32');
    const [m, c, ...kernel] = tensor.shape;
    const taps = kernel.reduce((a, b) => a * b, 1);
    const ordered = new Float32Array(values.length);
    let to = 0;
    for (let o = 0; o < m; o++) {
      for (let tap = 0; tap < taps; tap++) {
        for (let i = 0; i < c; i++) ordered[to++] = values[(o * c + i) * taps + tap];
      }
    }
    return ordered;
  }

  /** Names that the weights of a node have, in the file and in canonical form. */
  namesOfWeights({ name, inputs }: Node): string[] {
    return [inputs[1], this.weightNames.get(name) ?? ''];
  }

  has(value: string): boolean {
    return this.topology.producer(value) !== undefined || this.graph.inputs[0].name === value;
  }

  /** Whether quantization may have scaled the channels of a value: those that depthwise convolutions read. */
  isScaledByChannel(value: string): boolean {
    return this.topology.readers(value).some((reader) => {
      return reader.opType === 'Conv' && intAttribute(reader, 'group', 1) > 1;
    });
  }
}
