import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensorOf } from '../../src/onnx/elements.js';
import type { Graph, TensorType } from '../../src/onnx/graph.js';
import { interpret } from '../../src/onnx/interpreter.js';
import { verifyGraph } from '../../src/onnx/verifier.js';

function quantizing(thresholds: Float32Array, type: TensorType): Graph {
  const codes = { dtype: 'uint8' as const, shape: ['N', 2, 2, 3] };
  return {
    name: 'quantize',
    inputs: [{ name: 'x', type }],
    outputs: [{ name: 'y', type: codes }],
    initializers: new Map([['t', tensorOf('float32', [thresholds.length], thresholds)]]),
    nodes: [
      {
        name: 'q',
        opType: 'LcqQuantize',
        domain: 'lcq',
        inputs: ['x', 't'],
        outputs: ['y'],
        attributes: {},
      },
    ],
  };
}

const reals: TensorType = { dtype: 'float32', shape: ['N', 3, 2, 2] };

describe('an LcqQuantize node', () => {
  test('gives codes with the channels last, at most the number of thresholds', () => {
    const graph = quantizing(Float32Array.of(0, 1), reals);
    const { types } = verifyGraph(graph);
    const expected = { dtype: 'uint8', shape: ['N', 2, 2, 3], greatestCode: 2 };
    assert.deepEqual(types.get('y'), expected);
  });

  test('is what the interpreter runs', () => {
    const model = {
      irVersion: 10,
      producer: 'test',
      opsets: { '': 21, lcq: 1 },
      graph: quantizing(Float32Array.of(4, 8), reals),
      functions: [],
      metadata: {},
    };
    const data = Float32Array.from({ length: 12 }, (_, i) => i);
    const { y } = interpret(model, { x: { shape: [1, 3, 2, 2], data } });
    assert.deepEqual([...y.data], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
  });

  test('is refused with thresholds that are not finite, do not ascend or are too many', () => {
    const refused = (values: number[], message: RegExp) =>
      assert.throws(() => verifyGraph(quantizing(Float32Array.from(values), reals)), {
        code: 'INVALID_ARGUMENT',
        message,
      });
    refused([0, Number.POSITIVE_INFINITY], /node 'q' .*finite/);
    refused([1, 0], /ascending/);
    refused(new Array(256).fill(1), /more than 255/);
  });

  test('is refused where its input is known to be no image of reals', () => {
    const bytes = quantizing(Float32Array.of(0), { dtype: 'uint8', shape: [1, 3, 2, 2] });
    assert.throws(() => verifyGraph(bytes), { message: /'X' must be float32 of rank 4/ });
  });
});
