import type {
  Attribute,
  DataType,
  FunctionDef,
  Graph,
  Model,
  NamedType,
  Node,
  TensorData,
} from './graph.js';
import { ATTRIBUTE_TYPES, DATA_TYPES, type OpsetMessage } from './messages.js';

/** The graph IR to messages. */

const DATA_TYPE_CODES = new Map<DataType, number>(
  Object.entries(DATA_TYPES).map(([code, dtype]) => [dtype, Number(code)]),
);

export function modelToMessage(model: Model): object {
  return {
    ir_version: model.irVersion,
    producer_name: model.producer,
    graph: encodeGraph(model.graph),
    opset_import: encodeOpsets(model.opsets),
    metadata_props: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
    functions: model.functions.map(encodeFunction),
  };
}

function encodeOpsets(opsets: Readonly<Record<string, number>>): OpsetMessage[] {
  return Object.entries(opsets).map(([domain, version]) => ({ domain, version }));
}

function encodeGraph(graph: Graph): object {
  return {
    name: graph.name,
    node: graph.nodes.map(encodeNode),
    initializer: Array.from(graph.initializers, ([name, tensor]) => ({
      name,
      ...encodeTensor(tensor),
    })),
    input: graph.inputs.map(encodeNamedType),
    output: graph.outputs.map(encodeNamedType),
    value_info: graph.values?.map(encodeNamedType),
  };
}

function encodeNamedType({ name, type }: NamedType): object {
  const dim = type.shape.map((d) => (typeof d === 'number' ? { dim_value: d } : { dim_param: d }));
  return {
    name,
    type: { tensor_type: { elem_type: DATA_TYPE_CODES.get(type.dtype), shape: { dim } } },
  };
}

function encodeNode(node: Node): object {
  return {
    name: node.name,
    op_type: node.opType,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, value]) => ({
      name,
      ...encodeAttribute(value),
    })),
  };
}

function encodeAttribute(attribute: Attribute): object {
  if ('ref' in attribute)
    return { type: ATTRIBUTE_TYPES[attribute.type], ref_attr_name: attribute.ref };
  if ('int' in attribute) return { type: ATTRIBUTE_TYPES.int, i: attribute.int };
  if ('float' in attribute) return { type: ATTRIBUTE_TYPES.float, f: attribute.float };
  if ('string' in attribute)
    return { type: ATTRIBUTE_TYPES.string, s: Buffer.from(attribute.string) };
  if ('ints' in attribute) return { type: ATTRIBUTE_TYPES.ints, ints: attribute.ints };
  if ('floats' in attribute) return { type: ATTRIBUTE_TYPES.floats, floats: attribute.floats };
  if ('strings' in attribute) {
    return {
      type: ATTRIBUTE_TYPES.strings,
      strings: attribute.strings.map((text) => Buffer.from(text)),
    };
  }
  return { type: ATTRIBUTE_TYPES.tensor, t: encodeTensor(attribute.tensor) };
}

function encodeTensor(tensor: TensorData): object {
  return {
    dims: tensor.shape,
    data_type: DATA_TYPE_CODES.get(tensor.dtype),
    raw_data: tensor.data,
  };
}

function encodeFunction(fn: FunctionDef): object {
  return {
    name: fn.name,
    domain: fn.domain,
    input: fn.inputs,
    output: fn.outputs,
    attribute: fn.attributes,
    opset_import: encodeOpsets(fn.opsets),
    node: fn.nodes.map(encodeNode),
  };
}
