import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { tensorOf } from '../../../src/onnx/elements.js';
import type { Attribute, Graph, Model, Node, TensorData } from '../../../src/onnx/graph.js';
import { canonicalGraph } from '../../../src/onnx/passes/canonical.js';
import { encodeModel } from '../../../src/onnx/serde.js';
import { Random } from '../../../src/training/random.js';

const random = new Random(3);
const floats = (...shape: number[]): TensorData => {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, () => 0.5 + random.uniform());
  return tensorOf('float32', shape, data);
};
const int64s = (...values: number[]): TensorData =>
  tensorOf('int64', [values.length], BigInt64Array.from(values, BigInt));

type Row = readonly [op: string, inputs: string, outputs: string, Record<string, Attribute>?];

/** A graph from x [2,3,6,6] to y, one row a node; names are separated by spaces. */
function graphOf(rows: readonly Row[], constants: Record<string, TensorData> = {}): Graph {
  const nodes = rows.map(([opType, inputs, outputs, attributes = {}]): Node => {
    const names = inputs.split(' ').filter(Boolean);
    const name = outputs.split(' ')[0];
    return { name, opType, domain: '', inputs: names, outputs: outputs.split(' '), attributes };
  });
  return {
    name: 'foreign',
    inputs: [{ name: 'x', type: { dtype: 'float32', shape: [2, 3, 6, 6] } }],
    outputs: [{ name: 'y', type: { dtype: 'float32', shape: ['N', 'M'] } }],
    initializers: new Map(Object.entries(constants)),
    nodes,
  };
}

const modelOf = (graph: Graph, opset = 13): Model => ({
  irVersion: 8,
  producer: 'test',
  opsets: { '': opset },
  graph,
  functions: [],
  metadata: {},
});

async function run(graph: Graph): Promise<Float32Array> {
  const bytes = encodeModel(modelOf(graph));
  const session = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const data = Float32Array.from({ length: 216 }, (_, i) => Math.sin(i));
  const { y } = await session.run({ x: new ort.Tensor('float32', data, [2, 3, 6, 6]) });
  await session.release();
  return y.data as Float32Array;
}

const flat: Row = ['Flatten', 'p', 'f', { axis: { int: 1 } }];
const pool: Row = ['GlobalAveragePool', 'x', 'p'];

const CASES: Record<string, { graph: Graph; ops: string[] }> = {
  'a batch normalization joins the convolution before it': {
    graph: graphOf(
      [
        ['Conv', 'x w b', 'c'],
        ['BatchNormalization', 'c s o m v', 'y', { epsilon: { float: 0.01 } }],
      ],
      {
        w: floats(4, 3, 3, 3),
        b: floats(4),
        s: floats(4),
        o: floats(4),
        m: floats(4),
        v: floats(4),
      },
    ),
    ops: ['Conv'],
  },
  'a batch normalization stays where its input has another reader': {
    graph: graphOf(
      [
        ['Conv', 'x w', 'c'],
        ['BatchNormalization', 'c s o m v', 'n'],
        ['Add', 'c n', 'y'],
      ],
      { w: floats(4, 3, 3, 3), s: floats(4), o: floats(4), m: floats(4), v: floats(4) },
    ),
    ops: ['Conv', 'BatchNormalization', 'Add'],
  },
  'constants become initializers, what does nothing goes': {
    graph: graphOf([
      ['Constant', '', 'k', { value_float: { float: 2 } }],
      ['Dropout', 'x', 'd'],
      ['Identity', 'd', 'i'],
      ['Mul', 'i k', 'y'],
    ]),
    ops: ['Mul'],
  },
  'a convolution of the pooled pixel becomes a Gemm without the rows that are cut off': {
    graph: graphOf(
      [
        pool,
        ['Conv', 'p w b', 'c'],
        ['Flatten', 'c', 'f', { axis: { int: 1 } }],
        ['Slice', 'f s e a', 'y'],
      ],
      { w: floats(5, 3, 1, 1), b: floats(5), s: int64s(1), e: int64s(-1), a: int64s(1) },
    ),
    ops: ['GlobalAveragePool', 'Flatten', 'Gemm'],
  },
  'a product and a sum become a Gemm': {
    graph: graphOf([pool, flat, ['MatMul', 'f w', 'm'], ['Add', 'm b', 'y']], {
      w: floats(3, 4),
      b: floats(4),
    }),
    ops: ['GlobalAveragePool', 'Flatten', 'Gemm'],
  },
  'a Gemm gets its bias and transposed weights': {
    graph: graphOf([pool, flat, ['Gemm', 'f w', 'y']], { w: floats(3, 4) }),
    ops: ['GlobalAveragePool', 'Flatten', 'Gemm'],
  },
  'a Split becomes slices': {
    graph: graphOf(
      [
        ['Split', 'x sizes', 'l r', { axis: { int: 1 } }],
        ['Concat', 'r l', 'y', { axis: { int: 1 } }],
      ],
      { sizes: int64s(1, 2) },
    ),
    ops: ['Slice', 'Slice', 'Concat'],
  },
};

describe('the canonical graph', () => {
  for (const [title, { graph, ops }] of Object.entries(CASES)) {
    test(title, async () => {
      const canonical = canonicalGraph(modelOf(graph));
      assert.deepEqual(
        canonical.nodes.map((node) => node.opType),
        ops,
      );
      const [expected, actual] = [await run(graph), await run(canonical)];
      assert.equal(actual.length, expected.length);
      for (const [i, v] of expected.entries()) assert.ok(Math.abs(v - actual[i]) < 1e-5);
    });
  }

  test('gives the bounds of an old Clip as inputs', () => {
    const graph = graphOf([['Clip', 'x', 'y', { min: { float: 0 }, max: { float: 6 } }]]);
    const { nodes, initializers } = canonicalGraph(modelOf(graph));
    assert.deepEqual(nodes[0].inputs, ['x', 'y.min', 'y.max']);
    assert.deepEqual(initializers.get('y.max'), tensorOf('float32', [], Float32Array.of(6)));
  });

  test('is refused with the name of what cannot be brought to it', () => {
    const refused = (message: RegExp) => ({ code: 'UNSUPPORTED', message });
    const identity = graphOf([['Identity', 'x', 'y']]);
    assert.throws(() => canonicalGraph(modelOf(identity, 7)), refused(/opset 7/));
    const split = graphOf([['Split', 'x', 'a y']]);
    assert.throws(() => canonicalGraph(modelOf(split)), refused(/node 'a' \(Split\)/));
    const padded = graphOf([['Conv', 'x w', 'y', { auto_pad: { string: 'SAME_UPPER' } }]], {
      w: floats(1, 3, 3, 3),
    });
    assert.throws(() => canonicalGraph(modelOf(padded)), refused(/node 'y' \(Conv\).*padding/));
  });
});
