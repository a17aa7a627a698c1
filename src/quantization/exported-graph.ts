import { LCQ_DOMAIN } from '../onnx/domains.js';
import { tensorOf } from '../onnx/elements.js';
import type { Attribute, Graph, Node, TensorData } from '../onnx/graph.js';
import { resizeFactors } from './resize-factors.js';
import { unsupported } from './topology.js';

/** TensorProto.DataType of float32 */
const FLOAT = 1;

/**
 * The graph that the exporter writes, and in which forms it has each value of its source: codes under the name of their
 * quantizer's output, a stream under the name of the value (or one beside it), reals under a name of their own.
 */
export class ExportedGraph {
  readonly nodes: Node[] = [];
  readonly initializers = new Map<string, TensorData>();
  private readonly codes = new Set<string>();
  private readonly streams = new Map<string, { readonly name: string; readonly unit: number }>();
  private readonly realsOf = new Map<string, string>();

  tensor(name: string, tensor: TensorData): string {
    this.initializers.set(name, tensor);
    return name;
  }

  emit(
    opType: string,
    name: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, Attribute>,
    domain = LCQ_DOMAIN,
  ): void {
    this.nodes.push({ name, opType, domain, inputs, outputs, attributes });
  }

  defineCodes(value: string): void {
    this.codes.add(value);
  }

  hasCodes(value: string): boolean {
    return this.codes.has(value);
  }

  /** @param unit the real value of one integer step */
  defineStream(value: string, name: string, unit: number): void {
    this.streams.set(value, { name, unit });
  }

  /** The name of a value as a stream. */
  stream(value: string): string {
    const stream = this.streams.get(value);
    if (!stream) throw new TypeError(`'${value}' is no stream`);
    return stream.name;
  }

  defineReals(value: string): void {
    this.realsOf.set(value, value);
  }

  /** The name of a value as float32 [N,C,H,W]; a stream is converted on its first use. */
  reals(value: string): string {
    const known = this.realsOf.get(value);
    if (known) return known;
    const { unit } = this.streams.get(value) ?? {};
    if (unit === undefined) throw new TypeError(`'${value}' exists neither as reals nor as stream`);
    const name = `${value}.real`;
    const scale = this.tensor(`${value}.unit`, tensorOf('float32', [], Float32Array.of(unit)));
    const [cast, scaled] = [`${value}.cast`, `${value}.scaled`];
    this.emit('Cast', cast, [this.stream(value)], [cast], { to: { int: FLOAT } }, '');
    this.emit('Mul', scaled, [cast, scale], [scaled], {}, '');
    this.emit('Transpose', name, [scaled], [name], { perm: { ints: [0, 3, 1, 2] } }, '');
    this.realsOf.set(value, name);
    return name;
  }

  /** A node as it is, on reals. */
  fullPrecision(node: Node, source: Graph): void {
    const inputs = node.inputs.map((name) => {
      const tensor = source.initializers.get(name);
      if (tensor) return this.tensor(name, tensor);
      return name === '' ? '' : this.reals(name);
    });
    if (node.domain !== '') throw unsupported(node, 'it has no deployed form');
    this.nodes.push({ ...node, inputs });
    for (const output of node.outputs) this.defineReals(output);
  }

  /** A Resize by factors: one to given sizes would fix the batch. */
  resize(
    { name, inputs: [x], outputs: [y], attributes }: Node,
    shapes: ReadonlyMap<string, readonly number[]>,
  ): void {
    const [from, to] = [x, y].map((value) => shapes.get(value) as readonly number[]);
    const factors = tensorOf('float32', [from.length], resizeFactors(from, to));
    const inputs = [this.reals(x), '', this.tensor(`${name}.factors`, factors)];
    const { axes: _, ...rest } = attributes;
    this.emit('Resize', name, inputs, [y], rest, '');
    this.defineReals(y);
  }

  /** Makes sure that a graph output exists as reals under its own name. */
  outputReals(value: string): void {
    const name = this.reals(value);
    if (name !== value) this.emit('Identity', `output_${value}`, [name], [value], {}, '');
  }
}
