import { LcqError } from '../errors.js';
import { LCQ_DOMAIN } from './domains.js';
import { elementCount, ITEM_SIZES } from './elements.js';
import type { FunctionDef, Graph, Model, Node, TensorData } from './graph.js';
import { analyzeLcq, type LcqAnalysis } from './lcq-types.js';

/** Versions of the `lcq` operator set that docs/op-spec.md has had. */
const LCQ_OPSET_VERSIONS = [1];

/**
 * Checks that a model is well-formed: its graph (see verifyGraph), its functions, and that it imports the operator set
 * of every node.
 *
 * @returns what the `lcq` nodes say of themselves and of their values
 * @throws LcqError INVALID_ARGUMENT or UNSUPPORTED that names the node or value
 */
export function verifyModel(model: Model): LcqAnalysis {
  for (const node of model.graph.nodes) checkImported(node, model.opsets);
  const version = model.opsets[LCQ_DOMAIN];
  if (version !== undefined && !LCQ_OPSET_VERSIONS.includes(version)) {
    throw new LcqError('UNSUPPORTED', `version ${version} of the lcq operator set is not known`);
  }
  for (const fn of model.functions) verifyFunction(fn);
  return verifyGraph(model.graph);
}

/**
 * Checks that a graph is well-formed: every name is defined once and before it is read, constants have the bytes that
 * their shapes say, and every `lcq` node keeps docs/op-spec.md.
 *
 * @returns what the `lcq` nodes say of themselves and of their values
 * @throws LcqError INVALID_ARGUMENT or UNSUPPORTED that names the node or value
 */
export function verifyGraph(graph: Graph): LcqAnalysis {
  const scope = new Scope('the graph');
  for (const [name, tensor] of graph.initializers) {
    checkTensor(`initializer '${name}'`, tensor);
    scope.define(name, 'an initializer');
  }
  for (const { name } of graph.inputs) scope.define(name, 'an input');
  for (const node of graph.nodes) scope.enter(node);
  for (const { name } of graph.outputs) scope.read(name, 'its outputs');
  return analyzeLcq(graph);
}

function verifyFunction(fn: FunctionDef): void {
  const where = `function '${fn.name}'`;
  const scope = new Scope(where);
  for (const name of fn.inputs) scope.define(name, 'an input');
  for (const node of fn.nodes) {
    checkImported(node, fn.opsets);
    scope.enter(node);
    for (const value of Object.values(node.attributes)) {
      if ('ref' in value && !fn.attributes.includes(value.ref)) {
        throw invalid(`${where}, ${label(node)}: the function has no attribute '${value.ref}'`);
      }
    }
  }
  for (const name of fn.outputs) scope.read(name, 'its outputs');
}

/** The names defined so far, in the order of the graph. */
class Scope {
  private readonly where: string;
  private readonly defined = new Set<string>();

  constructor(where: string) {
    this.where = where;
  }

  define(name: string, by: string): void {
    if (name === '') throw invalid(`${this.where}: ${by} has no name`);
    if (this.defined.has(name)) throw invalid(`${this.where}: ${by} defines '${name}' again`);
    this.defined.add(name);
  }

  read(name: string, by: string): void {
    if (!this.defined.has(name)) {
      throw invalid(`${this.where}: ${by} read '${name}' before it is defined`);
    }
  }

  /** '' stands for an input or output left out. */
  enter(node: Node): void {
    for (const name of node.inputs)
      if (name !== '') this.read(name, `the inputs of ${label(node)}`);
    for (const name of node.outputs) if (name !== '') this.define(name, label(node));
    for (const [name, value] of Object.entries(node.attributes)) {
      if ('tensor' in value) checkTensor(`${label(node)}, attribute '${name}'`, value.tensor);
    }
  }
}

function checkTensor(where: string, { dtype, shape, data }: TensorData): void {
  if (dtype === 'string') {
    throw new LcqError('UNSUPPORTED', `${where}: constants of strings are not supported`);
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw invalid(`${where}: its shape has sizes that are negative or not exact`);
  }
  if (data.byteLength !== elementCount(shape) * ITEM_SIZES[dtype]) {
    throw invalid(`${where}: its ${data.byteLength} bytes of ${dtype} do not fit its shape`);
  }
}

function checkImported(node: Node, opsets: Readonly<Record<string, number>>): void {
  if (!Object.hasOwn(opsets, node.domain)) {
    throw invalid(`${label(node)}: the operator set of domain '${node.domain}' is not imported`);
  }
}

function label(node: Node): string {
  return `node '${node.name}' (${node.opType})`;
}

function invalid(message: string): LcqError {
  return new LcqError('INVALID_ARGUMENT', message);
}
