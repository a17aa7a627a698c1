/**
 * Fuzzing of the operators: valid nodes with attributes, shapes and bytes changed at random. LCQ_FUZZ_RUNS of them
 * (300 unless it is set), from LCQ_FUZZ_SEED.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Attribute, TensorData } from '../../src/onnx/graph.js';
import { listKernels } from '../../src/runtime/lcq-session.js';
import { randomConvLayer, randomIntegers, randomOperands } from '../lcq/random-layers.js';
import type { OpUnderTest } from '../quantization/op-model.js';
import {
  convAddCase,
  convCase,
  convStreamCase,
  gemmCase,
  globalAveragePoolCase,
  maxPoolCase,
} from './op-cases.js';
import { runOp } from './run-op.js';

const numRuns = Number(process.env.LCQ_FUZZ_RUNS ?? 300);
const seed = Number(process.env.LCQ_FUZZ_SEED ?? 2021);

type Random = ReturnType<typeof randomIntegers>;

function validOp(opType: string, next: Random): OpUnderTest {
  const layer = () => randomConvLayer({ weightBits: ([2, 3, 4, 8] as const)[next(0, 3)] }, next);
  const stream = () => Int16Array.from({ length: 60 }, () => next(-999, 999));
  const pooling = { kernelShape: [2, 3], strides: [1, 2], pads: [1, 0, 0, 2] } as const;
  switch (opType) {
    case 'LcqConv':
      return convCase(layer()).op;
    case 'LcqConvStream':
      return convStreamCase(layer()).op;
    case 'LcqConvAdd':
      return convAddCase(layer()).op;
    case 'LcqGlobalAveragePool':
      return globalAveragePoolCase(0.25, { shape: [1, 4, 5, 3], data: stream() }).op;
    case 'LcqMaxPoolStream':
      return maxPoolCase(pooling, { shape: [1, 4, 5, 3], data: stream() }).op;
    default: {
      const shape = { shape: [3, 20], weights: 100, weightBits: 4 as const };
      const affine = { scale: new Float32Array(5).fill(0.5), bias: new Float32Array(5) };
      const operands = { ...randomOperands(shape, {}, next), ...affine };
      return gemmCase({ weightShape: [5, 20], weightBits: 4 }, operands).op;
    }
  }
}

const opTypes = [
  'LcqConv',
  'LcqConvStream',
  'LcqConvAdd',
  'LcqGemm',
  'LcqGlobalAveragePool',
  'LcqMaxPoolStream',
];

/** Small sizes, the edges of types, and sizes beyond all memory. */
const ODD = [0, 1, 2, 3, 4, 5, 8, 255, 256, 2 ** 15, 2 ** 20, 2 ** 31, 2 ** 40];

const pick = <T>(values: readonly T[], next: Random): T => values[next(0, values.length - 1)];
const oddInteger = (next: Random) => pick(ODD, next) * (next(0, 5) === 0 ? -1 : 1);

function changedList(values: readonly number[], next: Random): number[] {
  const at = next(0, values.length - 1);
  const kind = next(0, 5);
  if (kind === 0) return values.filter((_, i) => i !== at);
  if (kind === 1) return [...values, oddInteger(next)];
  return values.map((value, i) => (i === at ? oddInteger(next) : value));
}

function changedAttribute(attribute: Attribute, next: Random): Attribute {
  if ('int' in attribute) return { int: oddInteger(next) };
  if ('ints' in attribute) return { ints: changedList(attribute.ints, next) };
  return { float: pick([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-38, 1e38], next) };
}

/** Another shape, or other bytes; of both the number of elements stays as the file format wants it. */
function changedTensor(tensor: TensorData, next: Random): TensorData {
  const count = tensor.shape.reduce((product, size) => product * size, 1);
  const width = tensor.data.length / count;
  const kind = next(0, 3);
  if (kind === 0) return { ...tensor, shape: [count] };
  if (kind === 1) return { ...tensor, shape: [1, ...tensor.shape] };
  if (kind === 2) {
    const kept = next(0, count);
    return { ...tensor, shape: [kept], data: tensor.data.slice(0, kept * width) };
  }
  const data = Uint8Array.from(tensor.data);
  for (let i = next(1, 4); i > 0; i--) data[next(0, data.length - 1)] = next(0, 255);
  return { ...tensor, data };
}

function mutated(op: OpUnderTest, next: Random): OpUnderTest {
  const name = pick([...Object.keys(op.attributes), ...Object.keys(op.inputs)], next);
  if (name in op.attributes) {
    const value = changedAttribute(op.attributes[name], next);
    return { ...op, attributes: { ...op.attributes, [name]: value } };
  }
  return { ...op, inputs: { ...op.inputs, [name]: changedTensor(op.inputs[name], next) } };
}

/** The bytes of all outputs, or the message that the op was refused with. */
async function outcome(op: OpUnderTest, kernels: string): Promise<string> {
  try {
    const { outputs } = await runOp(op, { kernels });
    return Object.values(outputs)
      .map(({ shape, data }) => `${shape}: ${Buffer.from(data.buffer).toString('base64')}`)
      .join();
  } catch (thrown) {
    const { code, message } = thrown as Error & { code?: string };
    assert.equal(code, 'INVALID_ARGUMENT', message);
    assert.match(message, new RegExp(`${op.opType}|\\bop\\b`));
    return message;
  }
}

describe('a node changed at random is refused by name, or runs alike on all kernels', () => {
  const sets = listKernels().flatMap(({ available, name }) => (available ? [name] : []));
  for (const opType of opTypes) {
    test(opType, async () => {
      const cases = fc.tuple(fc.integer({ min: 1 }), fc.integer({ min: 1, max: 3 }));
      const property = fc.asyncProperty(cases, async ([caseSeed, mutations]) => {
        const next = randomIntegers(caseSeed);
        let op = validOp(opType, next);
        for (let i = 0; i < mutations; i++) op = mutated(op, next);
        const [expected, ...others] = await Promise.all(sets.map((set) => outcome(op, set)));
        for (const other of others) assert.equal(other, expected);
      });
      await fc.assert(property, { numRuns: Math.ceil(numRuns / opTypes.length), seed });
    });
  }
});
