import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { LcqError } from '../errors.js';
import { elementCount, ITEM_SIZES } from './elements.js';
import type {
  Attribute, DataType, Dim, FunctionDef, Graph, Model, NamedType, Node, TensorData,
} from './graph.js';

/**
 * ONNX files to and from the graph IR: the only file that knows protobuf. The schema is proto/onnx.proto.
 *
 * A decoded tensor shares memory with the bytes it came from wherever the file holds raw data.
 */

const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 8: 'string',
  9: 'bool', 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64',
};
const DATA_TYPE_CODES = new Map(Object.entries(DATA_TYPES).map(([code, dtype]) => [dtype, Number(code)]));

const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;
type AttributeKind = keyof typeof ATTRIBUTE_TYPES;
const EXTERNAL_DATA = 1;

type Int64 = number | { toNumber(): number; toString(): string };

interface OpsetMessage { domain?: string; version?: Int64 }
interface EntryMessage { key?: string; value?: string }
interface TensorMessage {
  dims: Int64[]; data_type?: number; name?: string; segment?: Uint8Array; raw_data?: Uint8Array;
  float_data: number[]; int32_data: number[]; string_data: Uint8Array[]; int64_data: Int64[];
  double_data: number[]; uint64_data: Int64[]; external_data: EntryMessage[]; data_location?: number;
}
interface AttributeMessage {
  name?: string; type?: number; ref_attr_name?: string; f?: number; i?: Int64; s?: Uint8Array;
  t?: TensorMessage; g?: Uint8Array; floats: number[]; ints: Int64[]; strings: Uint8Array[];
}
interface NodeMessage {
  input: string[]; output: string[]; name?: string; op_type?: string; domain?: string; overload?: string;
  attribute: AttributeMessage[];
}
interface DimMessage { dim_value?: Int64; dim_param?: string }
interface ValueMessage {
  name?: string;
  type?: { tensor_type?: { elem_type?: number; shape?: { dim: DimMessage[] } } };
}
interface GraphMessage {
  name?: string; node: NodeMessage[]; initializer: TensorMessage[]; input: ValueMessage[];
  output: ValueMessage[]; sparse_initializer: Uint8Array[];
}
interface FunctionMessage {
  name?: string; domain?: string; overload?: string; input: string[]; output: string[]; attribute: string[];
  node: NodeMessage[]; opset_import: OpsetMessage[]; attribute_proto: AttributeMessage[];
}
interface ModelMessage {
  ir_version?: Int64; producer_name?: string; graph?: GraphMessage; opset_import: OpsetMessage[];
  metadata_props: EntryMessage[]; functions: FunctionMessage[];
}

let modelType: protobuf.Type | undefined;

function modelMessageType(): protobuf.Type {
  modelType ??= protobuf
    .parse(readFileSync(new URL('../../../proto/onnx.proto', import.meta.url), 'utf8'), { keepCase: true })
    .root.lookupType('onnx.ModelProto');
  return modelType;
}

function invalid(message: string): LcqError {
  return new LcqError('INVALID_ARGUMENT', message);
}

function unsupported(message: string): LcqError {
  return new LcqError('UNSUPPORTED', message);
}

/**
 * Reads an ONNX model.
 * @throws LcqError INVALID_ARGUMENT if the bytes are not a well-formed model; UNSUPPORTED if they use a part of ONNX
 *   that the IR leaves out (subgraphs, sparse or external tensors, types that are not tensors). Names the place.
 */
export function decodeModel(bytes: Uint8Array): Model {
  let message: ModelMessage;
  try {
    message = modelMessageType().decode(bytes) as unknown as ModelMessage;
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', 'not an ONNX model: the file is damaged or of another format', { cause });
  }
  if (!message.graph) throw invalid('not an ONNX model: it holds no graph');
  return {
    irVersion: safeInteger(message.ir_version ?? 0, 'ir_version'),
    producer: message.producer_name ?? '',
    opsets: decodeOpsets(message.opset_import),
    graph: decodeGraph(message.graph),
    functions: message.functions.map(decodeFunction),
    metadata: Object.fromEntries(message.metadata_props.map(({ key, value }) => [key ?? '', value ?? ''])),
  };
}

/** Writes an ONNX model; all tensors as raw data. The model is taken to be valid (see verifier.ts). */
export function encodeModel(model: Model): Uint8Array {
  const message = {
    ir_version: model.irVersion,
    producer_name: model.producer,
    graph: encodeGraph(model.graph),
    opset_import: encodeOpsets(model.opsets),
    metadata_props: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
    functions: model.functions.map(encodeFunction),
  };
  return modelMessageType().encode(message).finish();
}

function safeInteger(value: Int64, where: string): number {
  const number = typeof value === 'number' ? value : value.toNumber();
  if (!Number.isSafeInteger(number)) throw invalid(`${where}: ${value} is beyond the exact integers`);
  return number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalid(`${where}: the text is not UTF-8`);
  }
}

/** 'ai.onnx' is another spelling of the standard domain. */
function decodeDomain(domain: string | undefined): string {
  return domain === undefined || domain === 'ai.onnx' ? '' : domain;
}

function decodeOpsets(messages: OpsetMessage[]): Record<string, number> {
  return Object.fromEntries(
    messages.map(({ domain, version }) => [
      decodeDomain(domain),
      safeInteger(version ?? 0, `opset version of domain "${domain ?? ''}"`),
    ]),
  );
}

function encodeOpsets(opsets: Readonly<Record<string, number>>): OpsetMessage[] {
  return Object.entries(opsets).map(([domain, version]) => ({ domain, version }));
}

function decodeGraph(message: GraphMessage): Graph {
  if (message.sparse_initializer.length > 0) throw unsupported('the graph holds sparse initializers');
  const initializers = new Map<string, TensorData>();
  for (const tensor of message.initializer) {
    const name = tensor.name ?? '';
    if (initializers.has(name)) throw invalid(`initializer "${name}" is defined twice`);
    initializers.set(name, decodeTensor(tensor, `initializer "${name}"`));
  }
  return {
    name: message.name ?? '',
    // Before IR version 4 a graph lists its initializers among its inputs.
    inputs: message.input.filter(({ name }) => !initializers.has(name ?? '')).map(decodeNamedType),
    outputs: message.output.map(decodeNamedType),
    initializers,
    nodes: message.node.map(decodeNode),
  };
}

function encodeGraph(graph: Graph): object {
  return {
    name: graph.name,
    node: graph.nodes.map(encodeNode),
    initializer: Array.from(graph.initializers, ([name, tensor]) => ({ name, ...encodeTensor(tensor) })),
    input: graph.inputs.map(encodeNamedType),
    output: graph.outputs.map(encodeNamedType),
  };
}

function decodeNamedType(message: ValueMessage): NamedType {
  const name = message.name ?? '';
  const tensorType = message.type?.tensor_type;
  if (!tensorType) throw unsupported(`graph value "${name}" is not a tensor`);
  const dims = tensorType.shape?.dim;
  if (!dims) throw unsupported(`graph value "${name}" has no shape`);
  const shape = dims.map((dim, axis): Dim => {
    // An axis with neither a size nor a name is free; the IR gives it a name of its own.
    if (!Object.hasOwn(dim, 'dim_value')) return dim.dim_param || `${name}_${axis}`;
    return dimSize(dim.dim_value ?? 0, `graph value "${name}"`);
  });
  return { name, type: { dtype: decodeDataType(tensorType.elem_type, `graph value "${name}"`), shape } };
}

function encodeNamedType({ name, type }: NamedType): object {
  const dim = type.shape.map((d) => (typeof d === 'number' ? { dim_value: d } : { dim_param: d }));
  return { name, type: { tensor_type: { elem_type: DATA_TYPE_CODES.get(type.dtype), shape: { dim } } } };
}

function dimSize(value: Int64, where: string): number {
  const size = safeInteger(value, `${where}, shape`);
  if (size < 0) throw invalid(`${where}, shape: ${size} is negative`);
  return size;
}

function decodeDataType(code: number | undefined, where: string): DataType {
  const dtype = DATA_TYPES[code ?? 0];
  if (!dtype) throw unsupported(`${where}: element type ${code ?? 0} is not supported`);
  return dtype;
}

function decodeNode(message: NodeMessage): Node {
  const opType = message.op_type ?? '';
  const name = message.name || message.output[0] || opType;
  const where = `node "${name}" (${opType})`;
  if (message.overload) throw unsupported(`${where}: overloads are not supported`);
  const attributes = new Map<string, Attribute>();
  for (const attribute of message.attribute) {
    const key = attribute.name ?? '';
    if (attributes.has(key)) throw invalid(`${where}: attribute "${key}" is given twice`);
    attributes.set(key, decodeAttribute(attribute, `${where}, attribute "${key}"`));
  }
  return {
    name, opType, domain: decodeDomain(message.domain), inputs: message.input, outputs: message.output,
    attributes: Object.fromEntries(attributes),
  };
}

function encodeNode(node: Node): object {
  return {
    name: node.name,
    op_type: node.opType,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, value]) => ({ name, ...encodeAttribute(value) })),
  };
}

function decodeAttribute(message: AttributeMessage, where: string): Attribute {
  const kind = (Object.keys(ATTRIBUTE_TYPES) as AttributeKind[]).find(
    (key) => ATTRIBUTE_TYPES[key] === message.type,
  );
  if (!kind) throw unsupported(`${where}: attribute type ${message.type ?? 0} is not supported`);
  if (message.ref_attr_name) {
    if (kind === 'strings') throw unsupported(`${where}: a reference to strings is not supported`);
    return { ref: message.ref_attr_name, type: kind };
  }
  switch (kind) {
    case 'float': return { float: message.f ?? 0 };
    case 'int': return { int: safeInteger(message.i ?? 0, where) };
    case 'string': return { string: decodeText(message.s ?? new Uint8Array(), where) };
    case 'floats': return { floats: message.floats };
    case 'ints': return { ints: message.ints.map((value) => safeInteger(value, where)) };
    case 'strings': return { strings: message.strings.map((bytes) => decodeText(bytes, where)) };
    case 'tensor': {
      if (!message.t) throw invalid(`${where}: the tensor is missing`);
      return { tensor: decodeTensor(message.t, where) };
    }
  }
}

function encodeAttribute(attribute: Attribute): object {
  if ('ref' in attribute) return { type: ATTRIBUTE_TYPES[attribute.type], ref_attr_name: attribute.ref };
  if ('int' in attribute) return { type: ATTRIBUTE_TYPES.int, i: attribute.int };
  if ('float' in attribute) return { type: ATTRIBUTE_TYPES.float, f: attribute.float };
  if ('string' in attribute) return { type: ATTRIBUTE_TYPES.string, s: Buffer.from(attribute.string) };
  if ('ints' in attribute) return { type: ATTRIBUTE_TYPES.ints, ints: attribute.ints };
  if ('floats' in attribute) return { type: ATTRIBUTE_TYPES.floats, floats: attribute.floats };
  if ('strings' in attribute) {
    return { type: ATTRIBUTE_TYPES.strings, strings: attribute.strings.map((text) => Buffer.from(text)) };
  }
  return { type: ATTRIBUTE_TYPES.tensor, t: encodeTensor(attribute.tensor) };
}

function encodeTensor(tensor: TensorData): object {
  return { dims: tensor.shape, data_type: DATA_TYPE_CODES.get(tensor.dtype), raw_data: tensor.data };
}

function decodeTensor(message: TensorMessage, where: string): TensorData {
  if (message.data_location === EXTERNAL_DATA || message.external_data.length > 0) {
    throw unsupported(`${where}: data outside the model file is not supported`);
  }
  if (Object.hasOwn(message, 'segment')) throw unsupported(`${where}: segments are not supported`);
  const dtype = decodeDataType(message.data_type, where);
  const itemSize = ITEM_SIZES[dtype];
  if (itemSize === undefined) throw unsupported(`${where}: constants of ${dtype} are not supported`);
  const shape = message.dims.map((value) => dimSize(value, where));
  const data = Object.hasOwn(message, 'raw_data') ? message.raw_data! : typedData(message, dtype, where);
  if (data.byteLength !== elementCount(shape) * itemSize) {
    throw invalid(`${where}: shape [${shape}] of ${dtype} does not fit its ${data.byteLength} bytes`);
  }
  return { dtype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The bytes of a tensor that is stored in the field of its type and not as raw data. */
function typedData(message: TensorMessage, dtype: DataType, where: string): Uint8Array {
  const ints = message.int32_data;
  const uint64s = () => message.uint64_data.map((value) => BigInt(value.toString()));
  switch (dtype) {
    case 'float32': return bytesOf(Float32Array.from(message.float_data));
    case 'float64': return bytesOf(Float64Array.from(message.double_data));
    case 'int64': return bytesOf(BigInt64Array.from(message.int64_data.map((value) => BigInt(value.toString()))));
    case 'uint64': return bytesOf(BigUint64Array.from(uint64s()));
    case 'uint32': return bytesOf(Uint32Array.from(uint64s(), Number));
    case 'int32': return bytesOf(Int32Array.from(ints));
    case 'int16': return bytesOf(Int16Array.from(ints));
    case 'uint16': case 'float16': return bytesOf(Uint16Array.from(ints));
    case 'int8': return bytesOf(Int8Array.from(ints));
    case 'uint8': case 'bool': return bytesOf(Uint8Array.from(ints));
    case 'string': throw unsupported(`${where}: constants of string are not supported`);
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}

function decodeFunction(message: FunctionMessage): FunctionDef {
  const name = message.name ?? '';
  if (message.overload || message.attribute_proto.length > 0) {
    throw unsupported(`function "${name}": overloads and attribute defaults are not supported`);
  }
  return {
    name,
    domain: decodeDomain(message.domain),
    inputs: message.input,
    outputs: message.output,
    attributes: message.attribute,
    opsets: decodeOpsets(message.opset_import),
    nodes: message.node.map(decodeNode),
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
