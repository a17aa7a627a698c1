import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { GraphBuilder, type Value } from '../../src/onnx/builder.js';
import { elementCount } from '../../src/onnx/elements.js';
import type { Graph, TensorData } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { lower } from '../../src/training/autodiff.js';
import { Random } from '../../src/training/random.js';
import { type GradientCase, gradientCases } from './gradient-cases.js';

function int64Tensor(values: readonly number[]): TensorData {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { dtype: 'int64', shape: [values.length], data };
}

/** One number is a scalar. */
function floatTensor(values: readonly number[]): TensorData {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return { dtype: 'float32', shape: values.length === 1 ? [] : [values.length], data };
}

/** The op followed by a weighted sum, with the gradients of its inputs, as one model. */
async function compile({
  op,
  shapes,
  lists = [],
  reals = [],
  attributes = {},
  wanted,
}: GradientCase) {
  const names = shapes.map((_, i) => `x${i}`);
  const constants = new Map([
    ...lists.map((list, i) => [`list${i}`, int64Tensor(list)] as const),
    ...reals.map((list, i) => [`reals${i}`, floatTensor(list)] as const),
  ]);
  // An empty list stands for an input left out.
  const operands = [...constants].map(([name, { data }]) => (data.length > 0 ? name : ''));
  const graph: Graph = {
    name: op,
    inputs: [],
    outputs: [],
    initializers: constants,
    nodes: [
      {
        name: op,
        opType: op,
        domain: '',
        inputs: [...names, ...operands],
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
  for (const row of gradientCases) {
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
