import { LcqError } from '../errors.js';
import {
  lcqConv,
  lcqConvAdd,
  lcqConvStream,
  lcqGemm,
  lcqGlobalAveragePool,
  lcqMaxPool,
  lcqQuantizeReals,
  type NdArray,
} from '../lcq/reference-ops.js';
import { LCQ_DOMAIN } from './domains.js';
import type { Model, TensorType } from './graph.js';
import type { LcqNode } from './lcq-node.js';
import { verifyGraph } from './verifier.js';

/** A value while a model runs: codes, a stream or reals. */
export type Value = NdArray<Uint8Array> | NdArray<Int16Array> | NdArray<Float32Array>;

const ARRAY_TYPES = { uint8: Uint8Array, int16: Int16Array, float32: Float32Array } as const;

/**
 * Runs a model of `lcq` nodes with the reference operators: what every other way to run it is held to.
 *
 * @param feeds a value for every graph input
 * @returns the value of every graph output
 * @throws LcqError UNSUPPORTED for a node of another domain, INVALID_ARGUMENT for a model or feeds that do not fit
 */
export function interpret(
  { graph }: Model,
  feeds: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const foreign = graph.nodes.find((node) => node.domain !== LCQ_DOMAIN);
  if (foreign) {
    const { name, domain, opType } = foreign;
    throw new LcqError('UNSUPPORTED', `node '${name}': no reference for '${domain}' ${opType}`);
  }
  const { nodes } = verifyGraph(graph);
  const values = new Map<string, Value>();
  for (const { name, type } of graph.inputs) {
    if (!Object.hasOwn(feeds, name)) {
      throw new LcqError('INVALID_ARGUMENT', `input '${name}' is missing`);
    }
    checkFeed(name, type, feeds[name]);
    values.set(name, feeds[name]);
  }
  for (const [node, parsed] of nodes) {
    const inputs = node.inputs.map((name) => values.get(name) as Value);
    for (const [i, output] of run(parsed, inputs).entries()) values.set(node.outputs[i], output);
  }
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name) as Value]));
}

/** The types of `inputs` are those that analyzeLcq found. */
function run(parsed: LcqNode, inputs: readonly Value[]): Value[] {
  switch (parsed.op) {
    case 'LcqQuantize':
      return [lcqQuantizeReals(inputs[0] as NdArray<Float32Array>, parsed.thresholds)];
    case 'LcqConv':
      return [
        lcqConv(parsed.attributes, { x: inputs[0] as NdArray<Uint8Array>, ...parsed.operands }),
      ];
    case 'LcqConvStream':
    case 'LcqConvAdd': {
      const operands = { x: inputs[0] as NdArray<Uint8Array>, ...parsed.operands };
      const r = inputs[6] as NdArray<Int16Array>;
      const { s, y } = parsed.residual
        ? lcqConvAdd({ ...parsed.attributes, ...parsed.residual }, { ...operands, r })
        : lcqConvStream(parsed.attributes, operands);
      return [s, y];
    }
    case 'LcqGlobalAveragePool':
      return [lcqGlobalAveragePool(parsed.attributes, inputs[0] as NdArray<Int16Array>)];
    case 'LcqMaxPool':
      return [lcqMaxPool(parsed.attributes, inputs[0] as NdArray<Uint8Array>)];
    case 'LcqMaxPoolStream':
      return [lcqMaxPool(parsed.attributes, inputs[0] as NdArray<Int16Array>)];
    case 'LcqGemm':
      return [
        lcqGemm(parsed.attributes, { x: inputs[0] as NdArray<Uint8Array>, ...parsed.operands }),
      ];
  }
}

function checkFeed(name: string, type: TensorType, { shape, data }: Value): void {
  const ArrayType = ARRAY_TYPES[type.dtype as keyof typeof ARRAY_TYPES] as
    | (typeof ARRAY_TYPES)[keyof typeof ARRAY_TYPES]
    | undefined;
  const fits =
    ArrayType !== undefined &&
    data instanceof ArrayType &&
    shape.length === type.shape.length &&
    shape.every((size, i) => typeof type.shape[i] === 'string' || type.shape[i] === size) &&
    data.length === shape.reduce((a, b) => a * b, 1);
  if (!fits) {
    throw new LcqError('INVALID_ARGUMENT', `input '${name}' must be ${type.dtype} [${type.shape}]`);
  }
}
