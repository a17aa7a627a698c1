import type { DataType, Model } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import type { Tensor } from '../../src/runtime/session.js';
import { type ConvChoice, randomConvLayer, randomIntegers } from '../lcq/random-layers.js';
import { convCase, type OpCase } from '../native/op-cases.js';
import { opModel } from '../quantization/op-model.js';

/** A model of standard ONNX: `Y` is `X` plus `X`, or `X` itself, with a free batch axis. */
export function standardModel(opType: 'Add' | 'Identity', dtype: DataType): Uint8Array {
  const type = { dtype, shape: ['N', 3] };
  const model: Model = {
    irVersion: 10,
    producer: 'test',
    opsets: { '': 21 },
    graph: {
      name: opType,
      inputs: [{ name: 'X', type }],
      outputs: [{ name: 'Y', type }],
      initializers: new Map(),
      nodes: [
        {
          name: 'op',
          opType,
          domain: '',
          inputs: opType === 'Add' ? ['X', 'X'] : ['X'],
          outputs: ['Y'],
          attributes: {},
        },
      ],
    },
    functions: [],
    metadata: {},
  };
  return encodeModel(model);
}

export interface ConvModel {
  readonly bytes: Uint8Array;
  readonly feeds: Readonly<Record<'X', Tensor>>;
  /** The elements of X. */
  readonly codes: Uint8Array;
  readonly expected: Uint8Array;
}

/** An LcqConv with what it makes of its input. */
export function convModel(choice: ConvChoice, seed = 1): ConvModel {
  const layer = randomConvLayer(choice, randomIntegers(seed));
  const { op, expected } = convCase(layer);
  const { shape, data } = layer.operands.x;
  return {
    bytes: encodeOp({ op, expected }),
    feeds: { X: { datatype: 'UINT8', shape, data } },
    codes: data,
    expected: expected.Y as Uint8Array,
  };
}

/** Without function bodies: the add-on must know the op. */
export function encodeOp({ op }: OpCase): Uint8Array {
  return encodeModel({ ...opModel(op), functions: [] });
}
