import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { GraphBuilder, type Value } from '../../src/onnx/builder.js';
import { elementCount } from '../../src/onnx/elements.js';
import type { Attribute, Graph, TensorData } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { lower } from '../../src/training/autodiff.js';
import { Random } from '../../src/training/random.js';

/** One op under test: real inputs with their shapes (all differentiated) and int64 constants behind them. */
interface Case {
  readonly op: string;
  readonly name?: string;
  readonly shapes: readonly (readonly number[])[];
  readonly lists?: readonly (readonly number[])[];
  readonly attributes?: Record<string, Attribute>;
  /** Inputs whose gradients the rule gives; all by default. */
  readonly wanted?: readonly number[];
  readonly positive?: boolean;
}

const ints = (...values: number[]): Attribute => ({ ints: values });
const conv = (stride: number, pads: number[]): Record<string, Attribute> => ({
  strides: ints(stride, stride),
  pads: { ints: pads },
  dilations: ints(1, 1),
  group: { int: 1 },
});

const CASES: readonly Case[] = [
  {
    op: 'Add',
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
  },
  {
    op: 'Sub',
    shapes: [
      [2, 3],
      [2, 3],
    ],
  },
  { op: 'Sub', name: 'Sub, broadcast', shapes: [[2, 3, 2], [1]] },
  { op: 'Mul', shapes: [[2, 3, 4], [4]] },
  {
    op: 'Div',
    shapes: [
      [3, 4],
      [3, 1],
    ],
    positive: true,
  },
  { op: 'Sqrt', shapes: [[3, 4]], positive: true },
  { op: 'Relu', shapes: [[4, 5]] },
  { op: 'Transpose', shapes: [[2, 3, 4, 2]], attributes: { perm: ints(0, 3, 1, 2) } },
  { op: 'Flatten', shapes: [[2, 3, 2, 1]], attributes: { axis: { int: 1 } } },
  {
    op: 'Slice',
    shapes: [[2, 2, 6, 6]],
    lists: [
      [0, 0],
      [6, 6],
      [2, 3],
      [2, 2],
    ],
  },
  {
    op: 'Slice',
    name: 'Slice, odd size and a start',
    shapes: [[1, 2, 7, 5]],
    lists: [
      [1, 0],
      [6, 5],
      [2, 3],
      [2, 3],
    ],
  },
  { op: 'Pad', shapes: [[1, 3, 2, 2]], lists: [[0, 2, 0, 1, 0, 1, 0, 0]] },
  { op: 'GlobalAveragePool', shapes: [[2, 3, 4, 5]] },
  {
    op: 'ReduceMean',
    shapes: [[3, 2, 2, 2]],
    lists: [[0, 1, 2, 3]],
    attributes: { keepdims: { int: 1 } },
  },
  {
    op: 'ReduceMean',
    name: 'ReduceMean, axes dropped',
    shapes: [[3, 2, 4]],
    lists: [[1]],
    attributes: { keepdims: { int: 0 } },
  },
  { op: 'Gemm', shapes: [[3, 4], [5, 4], [5]], attributes: { transB: { int: 1 } } },
  {
    op: 'Conv',
    name: 'Conv 3x3, few input channels',
    shapes: [
      [2, 3, 9, 9],
      [4, 3, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3, one product a tap',
    shapes: [
      [2, 6, 9, 9],
      [4, 6, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3, few positions',
    shapes: [
      [2, 6, 6, 6],
      [4, 6, 3, 3],
    ],
    attributes: conv(1, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3 stride 2',
    shapes: [
      [2, 6, 18, 18],
      [4, 6, 3, 3],
    ],
    attributes: conv(2, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 3x3 stride 2, odd size, few positions',
    shapes: [
      [2, 5, 7, 7],
      [3, 5, 3, 3],
    ],
    attributes: conv(2, [1, 1, 1, 1]),
  },
  {
    op: 'Conv',
    name: 'Conv 5x5, uneven pads',
    shapes: [
      [1, 5, 8, 9],
      [3, 5, 5, 5],
    ],
    attributes: conv(1, [2, 1, 0, 2]),
  },
  {
    op: 'Conv',
    name: 'Conv 1x1',
    shapes: [
      [2, 5, 4, 4],
      [3, 5, 1, 1],
    ],
    attributes: conv(1, [0, 0, 0, 0]),
  },
  {
    op: 'Conv',
    name: 'Conv 1x1 stride 2',
    shapes: [
      [2, 5, 6, 6],
      [3, 5, 1, 1],
    ],
    attributes: conv(2, [0, 0, 0, 0]),
  },
  {
    op: 'BatchNormalization',
    shapes: [[3, 2, 4, 4], [2], [2], [2], [2]],
    attributes: { epsilon: { float: 1e-3 } },
    wanted: [0, 1, 2],
    positive: true,
  },
];

function int64Tensor(values: readonly number[]): TensorData {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { dtype: 'int64', shape: [values.length], data };
}

/** The op followed by a weighted sum, with the gradients of its inputs, as one model. */
async function compile({ op, shapes, lists = [], attributes = {}, wanted }: Case) {
  const names = shapes.map((_, i) => `x${i}`);
  const graph: Graph = {
    name: op,
    inputs: [],
    outputs: [],
    initializers: new Map(lists.map((list, i) => [`list${i}`, int64Tensor(list)])),
    nodes: [
      {
        name: op,
        opType: op,
        domain: '',
        inputs: [...names, ...lists.map((_, i) => `list${i}`)],
        outputs: ['y'],
        attributes,
      },
    ],
  };
  const b = new GraphBuilder(op);
  const bindings = new Map(names.map((name, i) => [name, b.input(name, shapes[i])]));
  const differentiated = (wanted ?? shapes.map((_, i) => i)).map((i) => names[i]);
  const lowered = lower(b, graph, bindings, new Set(differentiated), true);
  const y = lowered.values.get('y') as Value;
  const weights = b.input('weights', y.shape);
  b.output(
    'sum',
    b.reduce(
      'Sum',
      b.mul(y, weights),
      y.shape.map((_, i) => i),
    ),
  );
  const gradients = lowered.backward('y', weights);
  for (const name of differentiated) b.output(`d${name}`, gradients.get(name) as Value);
  const model = {
    irVersion: 8,
    producer: 'test',
    opsets: { '': 18, 'com.microsoft': 1 },
    graph: b.graph,
    functions: [],
    metadata: {},
  };
  const session = await ort.InferenceSession.create(encodeModel(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return { session, differentiated, yShape: y.shape };
}

describe('every row of the gradient table agrees with finite differences', () => {
  for (const row of CASES) {
    test(row.name ?? row.op, async () => {
      const { session, differentiated, yShape } = await compile(row);
      const random = new Random(5);
      const fill = (shape: readonly number[], positive = false) =>
        Float32Array.from({ length: elementCount(shape) }, () => {
          const v = random.normal();
          return positive ? 0.5 + Math.abs(v) : v + Math.sign(v) * 0.05;
        });
      const values = Object.fromEntries(row.shapes.map((s, i) => [`x${i}`, fill(s, row.positive)]));
      const weights = fill(yShape);
      const run = async (changed: Record<string, Float32Array>) => {
        const all = { ...values, ...changed };
        const feeds: Record<string, ort.Tensor> = {
          weights: new ort.Tensor('float32', weights, yShape),
        };
        row.shapes.forEach((s, i) => {
          if (session.inputNames.includes(`x${i}`)) {
            feeds[`x${i}`] = new ort.Tensor('float32', all[`x${i}`], s);
          }
        });
        const results = await session.run(feeds);
        return (name: string) => results[name].data as Float32Array;
      };
      const exact = await run({});
      for (const name of differentiated) {
        const gradient = exact(`d${name}`);
        for (let trial = 0; trial < 6; trial++) {
          const at = random.integer(gradient.length);
          const step = 0.02;
          const moved = async (by: number) => {
            const copy = Float32Array.from(values[name]);
            copy[at] += by;
            return (await run({ [name]: copy }))('sum')[0];
          };
          const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
          const tolerance = 0.01 + 0.02 * Math.abs(slope);
          assert.ok(
            Math.abs(slope - gradient[at]) < tolerance,
            `d${name}[${at}]: ${gradient[at]} against ${slope}`,
          );
        }
      }
      await session.release();
    });
  }
});
