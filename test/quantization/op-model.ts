import type { LcqConvAttributes } from '../../src/lcq/reference-ops.js';
import { LCQ_DOMAIN } from '../../src/onnx/domains.js';
import type { Attribute, Model, NamedType, TensorData } from '../../src/onnx/graph.js';
import {
  LCQ_OPSET_VERSION,
  lcqFunctions,
  STANDARD_OPSET_VERSION,
} from '../../src/quantization/op-functions.js';

export interface OpUnderTest {
  readonly opType: string;
  /** In the order of the op's signature. */
  readonly inputs: Readonly<Record<string, TensorData>>;
  /** Inputs fed at run time; all others become initializers. */
  readonly fed: readonly string[];
  readonly outputs: readonly NamedType[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A model of one `lcq` node, with the function bodies. */
export function opModel({ opType, inputs, fed, outputs, attributes }: OpUnderTest): Model {
  const names = Object.keys(inputs);
  const constants = names.filter((name) => !fed.includes(name));
  return {
    irVersion: 10,
    producer: 'test',
    opsets: { '': STANDARD_OPSET_VERSION, [LCQ_DOMAIN]: LCQ_OPSET_VERSION },
    graph: {
      name: opType,
      inputs: fed.map((name) => ({
        name,
        type: { dtype: inputs[name].dtype, shape: inputs[name].shape },
      })),
      outputs: [...outputs],
      initializers: new Map(constants.map((name) => [name, inputs[name]])),
      nodes: [
        {
          name: 'op',
          opType,
          domain: LCQ_DOMAIN,
          inputs: names,
          outputs: outputs.map(({ name }) => name),
          attributes,
        },
      ],
    },
    functions: [...lcqFunctions],
    metadata: {},
  };
}

/** The convolution's attributes as a node carries them. */
export function convNodeAttributes(attributes: LcqConvAttributes): Record<string, Attribute> {
  return {
    weight_shape: { ints: attributes.weightShape },
    weight_bits: { int: attributes.weightBits },
    strides: { ints: attributes.strides },
    pads: { ints: attributes.pads },
    dilations: { ints: attributes.dilations },
    group: { int: attributes.group },
    input_zero_point: { int: attributes.inputZeroPoint },
  };
}
