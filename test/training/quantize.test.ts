import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { gridCode, quantizerGrid } from '../../src/lcq/grid.js';
import { levelCaps } from '../../src/lcq/levels.js';
import { lcqGradients, lcqQuantizer } from '../../src/lcq/quantizer.js';
import { GraphBuilder, type Value } from '../../src/onnx/builder.js';
import { TRAINING_DOMAIN } from '../../src/onnx/domains.js';
import type { Graph } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { lower } from '../../src/training/autodiff.js';
import { Random } from '../../src/training/random.js';

const CELLS = 1024;
const INTERVALS = 16;

/** Runs the trainer's quantizer on x and pulls dy back. */
async function runInGraph(
  { bits, signed, cap, chain }: { bits: number; signed: boolean; cap: number; chain: boolean },
  x: Float32Array,
  alpha: number,
  theta: Float32Array,
  dy: Float32Array,
) {
  const graph: Graph = {
    name: 'quantize',
    inputs: [],
    outputs: [],
    initializers: new Map(),
    nodes: [
      {
        name: 'q',
        opType: 'Quantize',
        domain: TRAINING_DOMAIN,
        inputs: ['x', 'alpha', 'theta'],
        outputs: ['y'],
        attributes: {
          bits: { int: bits },
          signed: { int: signed ? 1 : 0 },
          cells: { int: CELLS },
          chain: { int: chain ? 1 : 0 },
          cap: { float: cap },
        },
      },
    ],
  };
  const b = new GraphBuilder('quantize');
  const bindings = new Map([
    ['x', b.input('x', [x.length])],
    ['alpha', b.input('alpha', [1])],
    ['theta', b.input('theta', [INTERVALS])],
  ]);
  const upstream = b.input('dy', [x.length]);
  const lowered = lower(b, graph, bindings, new Set(bindings.keys()), true);
  b.output('y', lowered.values.get('y') as Value);
  const gradients = lowered.backward('y', upstream);
  for (const name of bindings.keys()) b.output(`d_${name}`, gradients.get(name) as Value);
  const opsets = { '': 18 };
  const model = {
    irVersion: 8,
    producer: 'test',
    opsets,
    graph: b.graph,
    functions: [],
    metadata: {},
  };
  const session = await ort.InferenceSession.create(encodeModel(model), { logSeverityLevel: 3 });
  const tensor = (data: Float32Array) => new ort.Tensor('float32', data, [data.length]);
  const results = await session.run({
    x: tensor(x),
    alpha: tensor(Float32Array.of(alpha)),
    theta: tensor(theta),
    dy: tensor(dy),
  });
  await session.release();
  return (name: string) => results[name].data as Float32Array;
}

for (const bits of [2, 3, 4]) {
  for (const signed of [false, true]) {
    for (const chain of [false, true]) {
      test(`the trainer's quantizer equals the method: ${bits} bits, ${signed ? 'weights' : 'activations'}, ${chain ? 'chain rule' : 'identity'}`, async () => {
        const random = new Random(bits, signed ? 1 : 0);
        const cap = levelCaps[bits][signed ? 'weights' : 'activations'];
        const alpha = 1.37;
        const theta = Float32Array.from({ length: INTERVALS }, () => 0.4 * random.normal());
        // Centres of cells: there the trainer's tables hold the derivatives exactly, not just nearly.
        const x = Float32Array.from({ length: 400 }, () => {
          const v = (random.integer(Math.round(1.2 * CELLS)) + 0.5) / CELLS;
          return alpha * v * (random.uniform() < 0.5 ? -1 : 1);
        });
        const dy = Float32Array.from(x, () => random.normal());
        const got = await runInGraph({ bits, signed, cap, chain }, x, alpha, theta, dy);

        const grid = quantizerGrid({ alpha, theta, bits, signed, cap });
        const expected = x.map((v) => {
          const code = gridCode(grid, v);
          return (Math.sign(code) * grid.levels[Math.abs(code)] * alpha) / cap;
        });
        assertClose(got('y'), expected, 1e-6, 'y');

        const quantizer = lcqQuantizer({ alpha, theta, bits, signed, cap });
        const rows = Array.from(x, (v) => lcqGradients(quantizer, v, chain ? 'chain' : 'identity'));
        // The lowest cell of an activation counts as zero: nothing flows through it.
        const dead = (v: number) => !signed && v < alpha / CELLS;
        const dx = rows.map((r, i) => (dead(x[i]) ? 0 : r.dx * dy[i]));
        assertClose(got('d_x'), dx, 2e-4, 'dx');
        const sum = (of: (i: number) => number) =>
          rows.reduce((total, _, i) => total + (dead(x[i]) ? 0 : of(i) * dy[i]), 0);
        assertClose(got('d_alpha'), [sum((i) => rows[i].dAlpha)], 2e-3, 'dalpha');
        const dTheta = Array.from(theta, (_, k) => sum((i) => rows[i].dTheta[k]));
        assertClose(got('d_theta'), dTheta, 2e-3, 'dtheta');
      });
    }
  }
}

function assertClose(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
) {
  assert.equal(got.length, expected.length);
  for (let i = 0; i < got.length; i++) {
    const allowed = tolerance * (1 + Math.abs(expected[i]));
    assert.ok(
      Math.abs(got[i] - expected[i]) <= allowed,
      `${what}[${i}]: ${got[i]}, not ${expected[i]}`,
    );
  }
}
