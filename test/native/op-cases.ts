import type { WeightBits } from '../../src/lcq/bit-packing.js';
import {
  lcqConv,
  lcqConvAdd,
  lcqConvStream,
  lcqGemm,
  lcqGlobalAveragePool,
  lcqMaxPool,
  type MaxPoolAttributes,
  type NdArray,
  type QuantizedOperands,
  type Stream,
} from '../../src/lcq/reference-ops.js';
import { tensorOf } from '../../src/onnx/elements.js';
import type { NamedType, TensorData } from '../../src/onnx/graph.js';
import type { ConvLayer } from '../lcq/random-layers.js';
import { convNodeAttributes, type OpUnderTest } from '../quantization/op-model.js';

/** A node of the `lcq` domain and the outputs that the TypeScript reference gives for it. */
export interface OpCase {
  readonly op: OpUnderTest;
  readonly expected: Readonly<Record<string, Uint8Array | Int16Array | Float32Array>>;
}

export function convCase({ attributes, operands }: ConvLayer): OpCase {
  const { shape, data } = lcqConv(attributes, operands);
  const [outputs] = attributes.weightShape;
  const { thresholds } = operands;
  return {
    op: {
      opType: 'LcqConv',
      inputs: {
        ...operandTensors(operands),
        thresholds: tensorOf('int32', [outputs, thresholds.length / outputs], thresholds),
      },
      fed: ['X'],
      outputs: [output('Y', 'uint8', shape)],
      attributes: convNodeAttributes(attributes),
    },
    expected: { Y: data },
  };
}

export function convStreamCase({ attributes, operands }: ConvLayer): OpCase {
  const { s, y } = lcqConvStream(attributes, operands);
  const { streamThresholds } = operands;
  return {
    op: {
      opType: 'LcqConvStream',
      inputs: {
        ...operandTensors(operands),
        ...affineTensors(operands),
        stream_thresholds: tensorOf('int32', [streamThresholds.length], streamThresholds),
      },
      fed: ['X'],
      outputs: [output('S', 'int16', s.shape), output('Y', 'uint8', y.shape)],
      attributes: {
        ...convNodeAttributes(attributes),
        output_min: { int: attributes.outputMin },
      },
    },
    expected: { S: s.data, Y: y.data },
  };
}

export function convAddCase(layer: ConvLayer): OpCase {
  const { attributes, operands } = layer;
  const { op } = convStreamCase(layer);
  const { stream_thresholds, ...inputs } = op.inputs;
  const { r } = operands;
  const { s, y } = lcqConvAdd(attributes, operands);
  return {
    op: {
      ...op,
      opType: 'LcqConvAdd',
      inputs: { ...inputs, R: tensorOf('int16', r.shape, r.data), stream_thresholds },
      fed: ['X', 'R'],
      attributes: {
        ...op.attributes,
        residual_stride: { int: attributes.residualStride },
        residual_offset: { int: attributes.residualOffset },
      },
    },
    expected: { S: s.data, Y: y.data },
  };
}

export function globalAveragePoolCase(scale: number, stream: Stream): OpCase {
  const { shape, data } = lcqGlobalAveragePool({ scale }, stream);
  return {
    op: {
      opType: 'LcqGlobalAveragePool',
      inputs: { S: tensorOf('int16', stream.shape, stream.data) },
      fed: ['S'],
      outputs: [output('Y', 'uint8', shape)],
      attributes: { scale: { float: scale } },
    },
    expected: { Y: data },
  };
}

export function maxPoolCase(
  attributes: MaxPoolAttributes,
  x: NdArray<Uint8Array> | NdArray<Int16Array>,
): OpCase {
  const codes = x.data instanceof Uint8Array;
  const { shape, data } = lcqMaxPool<Uint8Array | Int16Array>(attributes, x);
  const input = codes
    ? { X: tensorOf('uint8', x.shape, x.data as Uint8Array) }
    : { S: tensorOf('int16', x.shape, x.data as Int16Array) };
  return {
    op: {
      opType: codes ? 'LcqMaxPool' : 'LcqMaxPoolStream',
      inputs: input,
      fed: Object.keys(input),
      outputs: [output('Y', codes ? 'uint8' : 'int16', shape)],
      attributes: {
        kernel_shape: { ints: attributes.kernelShape },
        strides: { ints: attributes.strides },
        pads: { ints: attributes.pads },
      },
    },
    expected: { Y: data },
  };
}

export function gemmCase(
  attributes: { readonly weightShape: readonly number[]; readonly weightBits: WeightBits },
  operands: Parameters<typeof lcqGemm>[1],
): OpCase {
  const { shape, data } = lcqGemm(attributes, operands);
  return {
    op: {
      opType: 'LcqGemm',
      inputs: { ...operandTensors(operands), ...affineTensors(operands) },
      fed: ['X'],
      outputs: [output('Y', 'float32', shape)],
      attributes: {
        weight_shape: { ints: attributes.weightShape },
        weight_bits: { int: attributes.weightBits },
      },
    },
    expected: { Y: data },
  };
}

function operandTensors(operands: QuantizedOperands): Record<string, TensorData> {
  const { x, w, weightLevels, inputLevels } = operands;
  return {
    X: tensorOf('uint8', x.shape, x.data),
    W: tensorOf('uint8', [w.length], w),
    weight_levels: tensorOf('int8', [weightLevels.length], weightLevels),
    input_levels: tensorOf('uint8', [inputLevels.length], inputLevels),
  };
}

function affineTensors(operands: {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
}): Record<string, TensorData> {
  const { scale, bias } = operands;
  return {
    scale: tensorOf('float32', [scale.length], scale),
    bias: tensorOf('float32', [bias.length], bias),
  };
}

function output(
  name: string,
  dtype: 'uint8' | 'int16' | 'float32',
  shape: readonly number[],
): NamedType {
  return { name, type: { dtype, shape } };
}
