import { LcqError } from '../errors.js';
import { elementCount, type FixedSizeType, ITEM_SIZES } from './elements.js';
import type {
  Attribute,
  DataType,
  Dim,
  FunctionDef,
  Graph,
  Model,
  NamedType,
  Node,
  TensorData,
} from './graph.js';
import {
  ATTRIBUTE_TYPES,
  type AttributeKind,
  type AttributeMessage,
  DATA_TYPES,
  EXTERNAL_DATA,
  type FunctionMessage,
  type GraphMessage,
  type Int64,
  type ModelMessage,
  type NodeMessage,
  type OpsetMessage,
  type TensorMessage,
  type ValueMessage,
} from './messages.js';

/** Messages to the graph IR. Everything read is untrusted; an error names the place in the model. */

function invalid(message: string, cause?: unknown): LcqError {
  return new LcqError('INVALID_ARGUMENT', message, { cause });
}

function unsupported(message: string): LcqError {
  return new LcqError('UNSUPPORTED', message);
}

export function messageToModel(message: ModelMessage): Model {
  if (!message.graph) throw invalid('not an ONNX model: it holds no graph');
  return {
    irVersion: safeInteger(message.ir_version ?? 0, 'ir_version'),
    producer: message.producer_name ?? '',
    opsets: decodeOpsets(message.opset_import),
    graph: decodeGraph(message.graph),
    functions: message.functions.map(decodeFunction),
    metadata: Object.fromEntries(
      message.metadata_props.map(({ key, value }) => [key ?? '', value ?? '']),
    ),
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function safeInteger(value: Int64, where: string): number {
  const number = typeof value === 'number' ? value : value.toNumber();
  if (!Number.isSafeInteger(number))
    throw invalid(`${where}: ${value} is beyond the exact integers`);
  return number;
}

function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw invalid(`${where}: the text is not UTF-8`, cause);
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

function decodeGraph(message: GraphMessage): Graph {
  if (message.sparse_initializer.length > 0)
    throw unsupported('the graph holds sparse initializers');
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
  return {
    name,
    type: { dtype: decodeDataType(tensorType.elem_type, `graph value "${name}"`), shape },
  };
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
    name,
    opType,
    domain: decodeDomain(message.domain),
    inputs: message.input,
    outputs: message.output,
    attributes: Object.fromEntries(attributes),
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
    case 'float':
      return { float: message.f ?? 0 };
    case 'int':
      return { int: safeInteger(message.i ?? 0, where) };
    case 'string':
      return { string: decodeText(message.s ?? new Uint8Array(), where) };
    case 'floats':
      return { floats: message.floats };
    case 'ints':
      return { ints: message.ints.map((value) => safeInteger(value, where)) };
    case 'strings':
      return { strings: message.strings.map((bytes) => decodeText(bytes, where)) };
    case 'tensor': {
      if (!message.t) throw invalid(`${where}: the tensor is missing`);
      return { tensor: decodeTensor(message.t, where) };
    }
  }
}

function decodeTensor(message: TensorMessage, where: string): TensorData {
  if (message.data_location === EXTERNAL_DATA || message.external_data.length > 0) {
    throw unsupported(`${where}: data outside the model file is not supported`);
  }
  if (Object.hasOwn(message, 'segment')) throw unsupported(`${where}: segments are not supported`);
  const dtype = decodeDataType(message.data_type, where);
  if (dtype === 'string') throw unsupported(`${where}: constants of strings are not supported`);
  const shape = message.dims.map((value) => dimSize(value, where));
  const { raw_data: raw } = message;
  const data = raw && Object.hasOwn(message, 'raw_data') ? raw : typedData(message, dtype);
  if (data.byteLength !== elementCount(shape) * ITEM_SIZES[dtype]) {
    throw invalid(`${where}: its ${data.byteLength} bytes of ${dtype} do not fit its shape`);
  }
  return { dtype, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The bytes of a tensor that is stored in the field of its type and not as raw data. */
function typedData(message: TensorMessage, dtype: FixedSizeType): Uint8Array {
  const ints = message.int32_data;
  const uint64s = () => message.uint64_data.map((value) => BigInt(value.toString()));
  switch (dtype) {
    case 'float32':
      return bytesOf(Float32Array.from(message.float_data));
    case 'float64':
      return bytesOf(Float64Array.from(message.double_data));
    case 'int64':
      return bytesOf(
        BigInt64Array.from(message.int64_data.map((value) => BigInt(value.toString()))),
      );
    case 'uint64':
      return bytesOf(BigUint64Array.from(uint64s()));
    case 'uint32':
      return bytesOf(Uint32Array.from(uint64s(), Number));
    case 'int32':
      return bytesOf(Int32Array.from(ints));
    case 'int16':
      return bytesOf(Int16Array.from(ints));
    case 'uint16':
    case 'float16':
      return bytesOf(Uint16Array.from(ints));
    case 'int8':
      return bytesOf(Int8Array.from(ints));
    case 'uint8':
    case 'bool':
      return bytesOf(Uint8Array.from(ints));
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
