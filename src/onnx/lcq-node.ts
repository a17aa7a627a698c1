import { LcqError } from '../errors.js';
import { isWeightBits, unpackCodes, type WeightBits, weightCodeCount } from '../lcq/bit-packing.js';
import type {
  LcqConvAttributes,
  MaxPoolAttributes,
  ResidualAttributes,
  StreamAttributes,
} from '../lcq/reference-ops.js';
import { floatAttribute, intAttribute, intsAttribute } from './attributes.js';
import { type Elements, type ElementType, elementCount, elementsOf } from './elements.js';
import type { Graph, Node } from './graph.js';

/** A node of the `lcq` domain, read and checked against docs/op-spec.md: its attributes and constant operands, typed. */
export type LcqNode =
  | LcqQuantizeNode
  | LcqConvNode
  | LcqStreamNode
  | LcqPoolNode
  | LcqMaxPoolNode
  | LcqGemmNode;

export interface LcqQuantizeNode {
  readonly op: 'LcqQuantize';
  readonly thresholds: Float32Array;
}

/** Operands of every op with weights. */
export interface WeightOperands {
  /** Packed codes. */
  readonly w: Uint8Array;
  readonly weightLevels: Int8Array;
  readonly inputLevels: Uint8Array;
}

/** Per-output scale and bias, f32 [M]. */
export interface AffineOperands {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
}

export interface LcqConvNode {
  readonly op: 'LcqConv';
  readonly attributes: LcqConvAttributes;
  readonly operands: WeightOperands & { readonly thresholds: Int32Array };
}

/** `residual` is there for LcqConvAdd. */
export interface LcqStreamNode {
  readonly op: 'LcqConvStream' | 'LcqConvAdd';
  readonly attributes: LcqConvAttributes & StreamAttributes;
  readonly residual?: ResidualAttributes;
  readonly operands: WeightOperands & AffineOperands & { readonly streamThresholds: Int32Array };
}

export interface LcqPoolNode {
  readonly op: 'LcqGlobalAveragePool';
  readonly attributes: { readonly scale: number };
}

export interface LcqMaxPoolNode {
  readonly op: 'LcqMaxPool' | 'LcqMaxPoolStream';
  readonly attributes: MaxPoolAttributes;
}

export interface LcqGemmNode {
  readonly op: 'LcqGemm';
  readonly attributes: { readonly weightShape: readonly number[]; readonly weightBits: WeightBits };
  readonly operands: WeightOperands & AffineOperands;
}

const MAX_INT32 = 2 ** 31 - 1;
/** No size in an attribute is greater: products of a few stay exact. */
const MAX_SIZE = 2 ** 20;
const MAX_WEIGHTS = 2 ** 31;
const MAX_THRESHOLDS = 255;
const INT16_MIN = -32768;

/** The number of inputs and outputs of each op. */
const SIGNATURES: Readonly<Record<string, readonly [inputs: number, outputs: number]>> = {
  LcqQuantize: [2, 1],
  LcqConv: [5, 1],
  LcqConvStream: [7, 2],
  LcqConvAdd: [8, 2],
  LcqGlobalAveragePool: [1, 1],
  LcqMaxPool: [1, 1],
  LcqMaxPoolStream: [1, 1],
  LcqGemm: [6, 1],
};

/**
 * Reads a node of the `lcq` domain.
 *
 * @throws LcqError INVALID_ARGUMENT if an attribute or constant is missing, malformed or of a wrong size; UNSUPPORTED
 *   if the operator set has no such op. The message names the node.
 */
export function parseLcqNode(node: Node, graph: Graph): LcqNode {
  return new NodeReader(node, graph).read();
}

class NodeReader {
  private readonly node: Node;
  private readonly graph: Graph;

  constructor(node: Node, graph: Graph) {
    this.node = node;
    this.graph = graph;
  }

  read(): LcqNode {
    const { opType, inputs, outputs } = this.node;
    const signature = Object.hasOwn(SIGNATURES, opType) ? SIGNATURES[opType] : undefined;
    if (!signature) throw this.error('is not an operator of the lcq domain', 'UNSUPPORTED');
    if (inputs.length !== signature[0] || outputs.length !== signature[1]) {
      throw this.error(`must have ${signature[0]} inputs and ${signature[1]} outputs`);
    }
    switch (opType) {
      case 'LcqQuantize':
        return this.quantize();
      case 'LcqConv':
        return this.conv();
      case 'LcqConvStream':
      case 'LcqConvAdd':
        return this.stream(opType);
      case 'LcqGemm':
        return this.gemm();
      case 'LcqMaxPool':
      case 'LcqMaxPoolStream':
        return this.maxPool(opType);
      default:
        return this.pool();
    }
  }

  private quantize(): LcqQuantizeNode {
    const { elements } = this.constant(1, 'thresholds', 'float32', 1);
    if (!elements.every(Number.isFinite)) throw this.error('thresholds must be finite');
    this.checkThresholds('thresholds', elements);
    return { op: 'LcqQuantize', thresholds: elements };
  }

  private conv(): LcqConvNode {
    const attributes = this.convAttributes();
    const operands = this.weights(attributes, attributes.inputZeroPoint);
    const [outputs] = attributes.weightShape;
    const { elements, shape } = this.constant(4, 'thresholds', 'int32', 2);
    if (shape[0] !== outputs) {
      throw this.error(`thresholds have ${shape[0]} rows, there are ${outputs} outputs`);
    }
    for (let m = 0; m < outputs; m++) {
      this.checkThresholds('thresholds', elements.subarray(m * shape[1], (m + 1) * shape[1]));
    }
    return { op: 'LcqConv', attributes, operands: { ...operands, thresholds: elements } };
  }

  private stream(op: LcqStreamNode['op']): LcqStreamNode {
    const conv = this.convAttributes();
    const outputMin = this.int('output_min', INT16_MIN, 0);
    if (outputMin !== 0 && outputMin !== INT16_MIN) {
      throw this.error(`attribute 'output_min' must be 0 or ${INT16_MIN}`);
    }
    const thresholds = this.constant(this.node.inputs.length - 1, 'stream_thresholds', 'int32', 1);
    this.checkThresholds('stream_thresholds', thresholds.elements);
    const parsed = {
      op,
      attributes: { ...conv, outputMin },
      operands: {
        ...this.weights(conv, conv.inputZeroPoint),
        ...this.affine(conv.weightShape[0]),
        streamThresholds: thresholds.elements,
      },
    };
    if (op === 'LcqConvStream') return parsed;
    const residualStride = this.int('residual_stride', 1, MAX_SIZE);
    const residualOffset = this.int('residual_offset', 0, MAX_SIZE);
    return { ...parsed, residual: { residualStride, residualOffset } };
  }

  private gemm(): LcqGemmNode {
    const attributes = {
      weightShape: this.ints('weight_shape', 2, 1),
      weightBits: this.weightBits(),
    };
    const operands = { ...this.weights(attributes, 0), ...this.affine(attributes.weightShape[0]) };
    return { op: 'LcqGemm', attributes, operands };
  }

  private pool(): LcqPoolNode {
    const scale = floatAttribute(this.node, 'scale');
    if (!(scale > 0 && Number.isFinite(scale))) {
      throw this.error(`attribute 'scale' must be positive and finite`);
    }
    return { op: 'LcqGlobalAveragePool', attributes: { scale } };
  }

  private maxPool(op: LcqMaxPoolNode['op']): LcqMaxPoolNode {
    const kernelShape = this.ints('kernel_shape', 2, 1);
    const pads = this.ints('pads', 4, 0);
    if (pads.some((pad, side) => pad >= kernelShape[side % 2])) {
      throw this.error(`attribute 'pads' must be less than the kernel`);
    }
    return { op, attributes: { kernelShape, strides: this.ints('strides', 2, 1), pads } };
  }

  private convAttributes(): LcqConvAttributes {
    const weightShape = this.ints('weight_shape', 4, 1);
    const group = this.int('group', 1, weightShape[0]);
    if (weightShape[0] % group !== 0) {
      throw this.error(`group ${group} does not divide the ${weightShape[0]} outputs`);
    }
    return {
      weightShape,
      weightBits: this.weightBits(),
      strides: this.ints('strides', 2, 1),
      pads: this.ints('pads', 4, 0),
      dilations: this.ints('dilations', 2, 1),
      group,
      inputZeroPoint: this.int('input_zero_point', 0, 255),
    };
  }

  private weights(
    { weightShape, weightBits }: Pick<LcqConvAttributes, 'weightShape' | 'weightBits'>,
    zeroPoint: number,
  ): WeightOperands {
    const count = elementCount(weightShape);
    if (count > MAX_WEIGHTS) throw this.error('has too many weights');
    const w = this.constant(1, 'W', 'uint8', 1).elements;
    this.attempt(() => unpackCodes(w, count, weightBits));
    const weightLevels = this.vector(2, 'weight_levels', 'int8', weightCodeCount(weightBits));
    if (weightLevels[(weightLevels.length - 1) / 2] !== 0) {
      throw this.error('the middle one of the weight_levels must be 0');
    }
    const inputLevels = this.constant(3, 'input_levels', 'uint8', 1).elements;
    if (inputLevels.length < 1 || inputLevels.length > 256 || !isAscending(inputLevels)) {
      throw this.error('input_levels must be 1 to 256 levels that do not decrease');
    }
    const depth = count / weightShape[0];
    const bound = depth * greatest(inputLevels, zeroPoint) * greatest(weightLevels, 0);
    if (bound > MAX_INT32) throw this.error(`its sums may reach ${bound}, beyond 32 bits`);
    return { w, weightLevels, inputLevels };
  }

  private affine(outputs: number): AffineOperands {
    const scale = this.vector(4, 'scale', 'float32', outputs);
    const bias = this.vector(5, 'bias', 'float32', outputs);
    if (![...scale, ...bias].every(Number.isFinite)) {
      throw this.error('scale and bias must be finite');
    }
    return { scale, bias };
  }

  private weightBits(): WeightBits {
    const bits = this.int('weight_bits', 2, 8);
    if (!isWeightBits(bits)) throw this.error(`attribute 'weight_bits' must be 2, 3, 4 or 8`);
    return bits;
  }

  private int(name: string, low: number, high: number): number {
    const value = intAttribute(this.node, name);
    if (value < low || value > high) {
      throw this.error(`attribute '${name}' is ${value}, must be in [${low}, ${high}]`);
    }
    return value;
  }

  private ints(name: string, count: number, low: number): readonly number[] {
    const values = intsAttribute(this.node, name);
    if (values.length !== count || values.some((value) => value < low || value > MAX_SIZE)) {
      throw this.error(`attribute '${name}' must be ${count} sizes from ${low} on`);
    }
    return values;
  }

  /** The constant at an input. */
  private constant<T extends ElementType>(
    index: number,
    name: string,
    dtype: T,
    rank: number,
  ): { elements: Elements<T>; shape: readonly number[] } {
    const tensor = this.graph.initializers.get(this.node.inputs[index]);
    if (!tensor) throw this.error(`input '${name}' must be an initializer`);
    if (tensor.dtype !== dtype || tensor.shape.length !== rank) {
      throw this.error(`input '${name}' must be ${dtype} of rank ${rank}`);
    }
    return { elements: elementsOf(tensor, dtype), shape: tensor.shape };
  }

  private vector<T extends ElementType>(
    index: number,
    name: string,
    dtype: T,
    length: number,
  ): Elements<T> {
    const { elements } = this.constant(index, name, dtype, 1);
    if (elements.length !== length) {
      throw this.error(`input '${name}' has ${elements.length} entries, must have ${length}`);
    }
    return elements;
  }

  private checkThresholds(name: string, row: Int32Array | Float32Array): void {
    if (row.length > MAX_THRESHOLDS) {
      throw this.error(`input '${name}' has more than ${MAX_THRESHOLDS} thresholds`);
    }
    if (!isAscending(row)) throw this.error(`input '${name}' must be ascending`);
  }

  private attempt(check: () => unknown): void {
    try {
      check();
    } catch (cause) {
      throw this.error(LcqError.from(cause).message);
    }
  }

  private error(problem: string, code: 'INVALID_ARGUMENT' | 'UNSUPPORTED' = 'INVALID_ARGUMENT') {
    return new LcqError(code, `node '${this.node.name}' (${this.node.opType}): ${problem}`);
  }
}

function isAscending(values: Int32Array | Uint8Array | Float32Array): boolean {
  return values.every((value: number, i: number) => i === 0 || values[i - 1] <= value);
}

function greatest(levels: Int8Array | Uint8Array, zeroPoint: number): number {
  return Math.max(...Array.from(levels, (level) => Math.abs(level - zeroPoint)));
}
