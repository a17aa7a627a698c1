import { LcqError } from '../errors.js';
import { convolvedSize } from '../lcq/reference-ops.js';
import { LCQ_DOMAIN } from './domains.js';
import type { DataType, Dim, Graph, Node, TensorType } from './graph.js';
import { type LcqMaxPoolNode, type LcqNode, parseLcqNode } from './lcq-node.js';

/** A value's type, and for codes of an lcq op the greatest one that can occur. */
export interface InferredType extends TensorType {
  readonly greatestCode?: number;
}

/** What is known of a graph with `lcq` nodes: its parsed nodes, and the types of all values that they lead to. */
export interface LcqAnalysis {
  /** In graph order. */
  readonly nodes: ReadonlyMap<Node, LcqNode>;
  readonly types: ReadonlyMap<string, InferredType>;
}

/**
 * Parses all `lcq` nodes and infers the types of their outputs. Sizes that depend on a free axis stay free.
 *
 * @throws LcqError as parseLcqNode does, and INVALID_ARGUMENT for operands whose types do not fit each other
 */
export function analyzeLcq(graph: Graph): LcqAnalysis {
  const types = new Map<string, InferredType>(graph.inputs.map(({ name, type }) => [name, type]));
  const nodes = new Map<Node, LcqNode>();
  for (const node of graph.nodes) {
    if (node.domain !== LCQ_DOMAIN) continue;
    const parsed = parseLcqNode(node, graph);
    nodes.set(node, parsed);
    const typing = new NodeTyping(node, types);
    for (const [i, type] of typing.outputs(parsed).entries()) types.set(node.outputs[i], type);
  }
  return { nodes, types };
}

/** The sum of so many int16 values fits int32. */
const MAX_POOLED = 65535;

class NodeTyping {
  private readonly node: Node;
  private readonly types: ReadonlyMap<string, InferredType>;

  constructor(node: Node, types: ReadonlyMap<string, InferredType>) {
    this.node = node;
    this.types = types;
  }

  outputs(parsed: LcqNode): InferredType[] {
    switch (parsed.op) {
      case 'LcqQuantize': {
        const [batch, channels, height, width] = this.reals();
        const greatestCode = parsed.thresholds.length;
        return [{ dtype: 'uint8', shape: [batch, height, width, channels], greatestCode }];
      }
      case 'LcqConv': {
        const shape = this.convolved(parsed);
        const greatestCode = parsed.operands.thresholds.length / parsed.attributes.weightShape[0];
        return [{ dtype: 'uint8', shape, greatestCode }];
      }
      case 'LcqConvStream':
      case 'LcqConvAdd': {
        const shape = this.convolved(parsed);
        if (parsed.residual) this.checkResidual(shape, parsed.residual);
        const greatestCode = parsed.operands.streamThresholds.length;
        return [
          { dtype: 'int16', shape },
          { dtype: 'uint8', shape, greatestCode },
        ];
      }
      case 'LcqGlobalAveragePool': {
        const [batch, height, width, channels] = this.input(0, 'S', 'int16', 4);
        if (Number(height) * Number(width) > MAX_POOLED) {
          throw this.error(`${height} x ${width} values are too many to sum in 32 bits`);
        }
        return [{ dtype: 'uint8', shape: [batch, channels] }];
      }
      case 'LcqMaxPool': {
        const shape = this.pooled(parsed, this.input(0, 'X', 'uint8', 4));
        return [{ ...this.types.get(this.node.inputs[0]), dtype: 'uint8', shape }];
      }
      case 'LcqMaxPoolStream':
        return [{ dtype: 'int16', shape: this.pooled(parsed, this.input(0, 'S', 'int16', 4)) }];
      case 'LcqGemm': {
        const [outputs, depth] = parsed.attributes.weightShape;
        const [batch, features] = this.codes(2, parsed.operands.inputLevels.length);
        this.checkSize('features', features, depth);
        return [{ dtype: 'float32', shape: [batch, outputs] }];
      }
    }
  }

  private convolved({ attributes, operands }: Extract<LcqNode, { op: `LcqConv${string}` }>): Dim[] {
    const { weightShape, group, dilations } = attributes;
    const [batch, height, width, channels] = this.codes(4, operands.inputLevels.length);
    this.checkSize('channels', channels, group * weightShape[3]);
    const kernel = weightShape.slice(1, 3);
    return [batch, ...this.slid([height, width], kernel, dilations, attributes), weightShape[0]];
  }

  private pooled({ attributes }: LcqMaxPoolNode, input: readonly Dim[]): Dim[] {
    const [batch, height, width, channels] = input;
    const sizes = this.slid([height, width], attributes.kernelShape, [1, 1], attributes);
    return [batch, ...sizes, channels];
  }

  /** Height and width of what a sliding window makes of an image. */
  private slid(
    image: readonly Dim[],
    kernel: readonly number[],
    dilations: readonly number[],
    { strides, pads }: Pick<LcqMaxPoolNode['attributes'], 'strides' | 'pads'>,
  ): Dim[] {
    return image.map((dim, axis) => {
      if (typeof dim === 'string') return `${this.node.outputs[0]}_${axis}`;
      const padding = pads[axis] + pads[axis + 2];
      const output = convolvedSize(dim, kernel[axis], strides[axis], dilations[axis], padding);
      if (output < 1) {
        throw this.error(`its input of ${image.join(' x ')} is smaller than the kernel`);
      }
      return output;
    });
  }

  /** The shape of the image that is quantized; free where it comes from a standard op, whose type is not inferred. */
  private reals(): readonly Dim[] {
    const [name] = this.node.inputs;
    if (this.types.has(name)) return this.input(0, 'X', 'float32', 4);
    return Array.from({ length: 4 }, (_, axis) => `${name}_${axis}`);
  }

  /** The shape of the codes read. A pooled or fed code may be any byte; a counted one must have a level. */
  private codes(rank: number, levels: number): readonly Dim[] {
    const shape = this.input(0, 'X', 'uint8', rank);
    const greatestCode = this.types.get(this.node.inputs[0])?.greatestCode;
    if (greatestCode !== undefined && greatestCode >= levels) {
      throw this.error(`input codes reach ${greatestCode}, there are ${levels} input_levels`);
    }
    return shape;
  }

  private checkResidual(
    output: readonly Dim[],
    { residualStride, residualOffset }: { residualStride: number; residualOffset: number },
  ): void {
    const r = this.input(6, 'R', 'int16', 4);
    for (const axis of [1, 2]) {
      const size = r[axis];
      if (typeof size === 'number') {
        this.checkSize('rows or columns of R', output[axis], Math.ceil(size / residualStride));
      }
    }
    if (Number(r[3]) + residualOffset > Number(output[3])) {
      throw this.error(`R has ${r[3]} channels from ${residualOffset} on, the output ${output[3]}`);
    }
  }

  private input(index: number, name: string, dtype: DataType, rank: number): readonly Dim[] {
    const type = this.types.get(this.node.inputs[index]);
    if (!type) throw this.error(`the type of input '${name}' is not known`);
    if (type.dtype !== dtype || type.shape.length !== rank) {
      throw this.error(`input '${name}' must be ${dtype} of rank ${rank}`);
    }
    return type.shape;
  }

  private checkSize(what: string, actual: Dim, expected: number): void {
    if (typeof actual === 'number' && actual !== expected) {
      throw this.error(`${what}: ${actual} where ${expected} are expected`);
    }
  }

  private error(problem: string): LcqError {
    const { name, opType } = this.node;
    return new LcqError('INVALID_ARGUMENT', `node '${name}' (${opType}): ${problem}`);
  }
}
