import { elementCount } from './elements.js';
import type { Attribute, DataType, Graph, Node, TensorData } from './graph.js';

/** A value of a graph under construction: every size is known. */
export interface Value {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** Plain numbers stand for ints, arrays for int lists, strings for strings; floats are written out. */
type AttributeShorthand = number | readonly number[] | string | Attribute;

function attribute(value: AttributeShorthand): Attribute {
  if (typeof value === 'number') return { int: value };
  if (typeof value === 'string') return { string: value };
  return Array.isArray(value) ? { ints: value } : (value as Attribute);
}

/** The shape of an elementwise result, by the broadcasting rule of ONNX. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`cannot broadcast [${a}] with [${b}]`);
    return Math.max(x, y);
  });
}

/**
 * Emits standard ONNX nodes (opset 18 semantics) with static shapes. Each method adds one node and returns its value;
 * constants are shared.
 */
export class GraphBuilder {
  readonly graph: Graph;
  private readonly constants = new Map<string, Value>();
  private counter = 0;

  constructor(name: string) {
    this.graph = { name, inputs: [], outputs: [], initializers: new Map(), nodes: [] };
  }

  input(name: string, shape: readonly number[], dtype: DataType = 'float32'): Value {
    this.graph.inputs.push({ name, type: { dtype, shape } });
    return { name, dtype, shape };
  }

  /** Makes a value a graph output under a name of its own. */
  output(name: string, value: Value): void {
    this.graph.nodes.push({
      name: `output_${name}`,
      opType: 'Identity',
      domain: '',
      inputs: [value.name],
      outputs: [name],
      attributes: {},
    });
    this.graph.outputs.push({ name, type: { dtype: value.dtype, shape: value.shape } });
  }

  nodeN(
    opType: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { shape: readonly number[]; dtype?: DataType }[],
    attributes: Record<string, AttributeShorthand> = {},
    domain = '',
  ): Value[] {
    const id = this.counter++;
    const values = outputs.map((o, i) => ({
      name: `${opType}_${id}${i ? `_${i}` : ''}`,
      dtype: o.dtype ?? 'float32',
      shape: o.shape,
    }));
    const node: Node = {
      name: `node_${id}`,
      opType,
      domain,
      inputs: inputs.map((v) => v?.name ?? ''),
      outputs: values.map((v) => v.name),
      attributes: Object.fromEntries(Object.entries(attributes).map(([k, v]) => [k, attribute(v)])),
    };
    this.graph.nodes.push(node);
    return values;
  }

  node(
    opType: string,
    inputs: readonly (Value | null)[],
    shape: readonly number[],
    attributes: Record<string, AttributeShorthand> = {},
    dtype: DataType = 'float32',
    domain = '',
  ): Value {
    return this.nodeN(opType, inputs, [{ shape, dtype }], attributes, domain)[0];
  }

  /** An initializer that holds the given bytes. */
  tensor(tensor: TensorData): Value {
    const name = `constant_${this.counter++}`;
    this.graph.initializers.set(name, tensor);
    return { name, dtype: tensor.dtype, shape: tensor.shape };
  }

  floats(data: Float32Array | readonly number[], shape: readonly number[]): Value {
    const values = Float32Array.from(data);
    return this.shared('float32', shape, new Uint8Array(values.buffer));
  }

  int64s(data: readonly number[], shape: readonly number[] = [data.length]): Value {
    const values = BigInt64Array.from(data, BigInt);
    return this.shared('int64', shape, new Uint8Array(values.buffer));
  }

  scalar(value: number): Value {
    return this.floats([value], []);
  }

  private shared(dtype: DataType, shape: readonly number[], data: Uint8Array): Value {
    const key = `${dtype}[${shape}]${Buffer.from(data).toString('base64')}`;
    let value = this.constants.get(key);
    if (!value) {
      value = this.tensor({ dtype, shape: [...shape], data });
      this.constants.set(key, value);
    }
    return value;
  }

  unary(opType: string, x: Value, attributes: Record<string, AttributeShorthand> = {}): Value {
    return this.node(opType, [x], x.shape, attributes, x.dtype);
  }

  private binary(opType: string, a: Value, b: Value): Value {
    return this.node(opType, [a, b], broadcast(a.shape, b.shape), {}, a.dtype);
  }

  add(a: Value, b: Value): Value {
    return this.binary('Add', a, b);
  }

  sub(a: Value, b: Value): Value {
    return this.binary('Sub', a, b);
  }

  mul(a: Value, b: Value): Value {
    return this.binary('Mul', a, b);
  }

  div(a: Value, b: Value): Value {
    return this.binary('Div', a, b);
  }

  neg(x: Value): Value {
    return this.unary('Neg', x);
  }

  clip(x: Value, low: number, high: number): Value {
    return this.node('Clip', [x, this.scalar(low), this.scalar(high)], x.shape);
  }

  cast(x: Value, dtype: 'float32' | 'int32' | 'int64'): Value {
    return this.node(
      'Cast',
      [x],
      x.shape,
      { to: { float32: 1, int32: 6, int64: 7 }[dtype] },
      dtype,
    );
  }

  reshape(x: Value, shape: readonly number[]): Value {
    if (elementCount(shape) !== elementCount(x.shape)) {
      throw new RangeError(`cannot reshape [${x.shape}] to [${shape}]`);
    }
    return this.node('Reshape', [x, this.int64s(shape)], shape, {}, x.dtype);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    const shape = perm.map((axis) => x.shape[axis]);
    return this.node('Transpose', [x], shape, { perm }, x.dtype);
  }

  expand(x: Value, shape: readonly number[]): Value {
    return this.node('Expand', [x, this.int64s(shape)], shape, {}, x.dtype);
  }

  reduce(kind: 'Sum' | 'Mean' | 'Max', x: Value, axes: readonly number[], keep = false): Value {
    const shape = x.shape.flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d]));
    return this.node(`Reduce${kind}`, [x, this.int64s(axes)], shape, { keepdims: keep ? 1 : 0 });
  }

  /** Sums a gradient down to the shape that was broadcast to its own. */
  sumTo(x: Value, shape: readonly number[]): Value {
    const offset = x.shape.length - shape.length;
    const axes = x.shape.flatMap((d, i) =>
      i < offset || (shape[i - offset] === 1 && d !== 1) ? [i] : [],
    );
    return axes.length ? this.reshape(this.reduce('Sum', x, axes), shape) : x;
  }

  /** Slices with positive steps; `ends` are exclusive. */
  slice(
    x: Value,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): Value {
    const shape = [...x.shape];
    axes.forEach((axis, i) => {
      shape[axis] = Math.ceil((Math.min(ends[i], x.shape[axis]) - starts[i]) / steps[i]);
    });
    const inputs = [x, ...[starts, ends, axes, steps].map((list) => this.int64s(list))];
    return this.node('Slice', inputs, shape, {}, x.dtype);
  }

  /** Reverses the order along some axes. */
  flip(x: Value, axes: readonly number[]): Value {
    const lists = [axes.map(() => -1), axes.map(() => -(2 ** 31)), axes, axes.map(() => -1)];
    return this.node('Slice', [x, ...lists.map((list) => this.int64s(list))], x.shape, {}, x.dtype);
  }

  concat(values: readonly Value[], axis: number): Value {
    const shape = [...values[0].shape];
    shape[axis] = values.reduce((sum, v) => sum + v.shape[axis], 0);
    return this.node('Concat', values, shape, { axis }, values[0].dtype);
  }

  /** Pads with zeros; `pads` lists all begins, then all ends, as ONNX does. */
  pad(x: Value, pads: readonly number[]): Value {
    if (pads.every((p) => p === 0)) return x;
    const rank = x.shape.length;
    const shape = x.shape.map((d, i) => d + pads[i] + pads[i + rank]);
    return this.node('Pad', [x, this.int64s(pads), this.scalar(0)], shape);
  }

  matmul(a: Value, b: Value): Value {
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return this.node(
      'MatMul',
      [a, b],
      [...batch, a.shape.at(-2) as number, b.shape.at(-1) as number],
    );
  }

  /** `a . b^T` over the last two axes without a copy (com.microsoft.FusedMatMul). */
  matmulTransposed(a: Value, b: Value): Value {
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const shape = [...batch, a.shape.at(-2) as number, b.shape.at(-2) as number];
    return this.node('FusedMatMul', [a, b], shape, { transB: 1 }, 'float32', 'com.microsoft');
  }

  gather(x: Value, indices: Value): Value {
    const shape = [...indices.shape, ...x.shape.slice(1)];
    return this.node('Gather', [x, indices], shape, { axis: 0 }, x.dtype);
  }

  conv(x: Value, w: Value, geometry: ConvGeometry, bias?: Value): Value {
    const [n] = x.shape;
    const [m, , ...kernel] = w.shape;
    const { group, ...window } = geometry;
    const inputs = bias ? [x, w, bias] : [x, w];
    return this.node('Conv', inputs, [n, m, ...windowPositions(x.shape, kernel, geometry)], {
      kernel_shape: kernel,
      ...window,
      group,
    });
  }
}

/** How a window moves over an image. Pads are top, left, bottom, right. */
export interface WindowGeometry {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

export interface ConvGeometry extends WindowGeometry {
  readonly group: number;
}

/** Rows and columns of the result of a window that moves over x [N,C,H,W]. */
export function windowPositions(
  x: readonly number[],
  kernel: readonly number[],
  { strides, pads, dilations }: WindowGeometry,
): number[] {
  return kernel.map((size, axis) => {
    const reach = dilations[axis] * (size - 1) + 1;
    return Math.floor((x[axis + 2] + pads[axis] + pads[axis + 2] - reach) / strides[axis]) + 1;
  });
}
