import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  normalEquations,
  roundWithFeedback,
} from '../../../src/quantization/post-training/error-feedback.js';
import { Random } from '../../../src/training/random.js';

const [K, M, COUNT] = [12, 3, 400];
const random = new Random(5);
/** Inputs that depend on each other and are not centred, as activations are. */
const x = Array.from({ length: COUNT }, () => {
  const common = random.normal();
  return Array.from({ length: K }, () => 1 + common + 0.5 * random.normal());
});
const weights = Float32Array.from({ length: M * K }, () => random.normal());
const biases = [0.5, -1, 2];
const outputs = (w: Float32Array, bias: ArrayLike<number>) =>
  x.map((row) =>
    Array.from({ length: M }, (_, o) => row.reduce((sum, v, i) => sum + v * w[o * K + i], bias[o])),
  );
const wanted = outputs(weights, biases);
const equations = normalEquations(gram(wanted), K, M, true);
const round = (step: number) => (weight: number) => step * Math.round(weight / step);

function gram(y: readonly number[][]): Float32Array {
  const z = x.map((row, s) => [...row, 1, ...y[s]]);
  const d = K + 1 + M;
  return Float32Array.from({ length: d * d }, (_, at) =>
    z.reduce((sum, row) => sum + row[Math.floor(at / d)] * row[at % d], 0),
  );
}

function error(w: Float32Array, bias: ArrayLike<number>): number {
  const squares = outputs(w, bias).map((row, s) =>
    row.reduce((sum, v, o) => sum + (v - wanted[s][o]) ** 2, 0),
  );
  return squares.reduce((a, b) => a + b) / COUNT;
}

describe('rounding with feedback', () => {
  test('leaves weights that are right already, with their biases', () => {
    const solution = roundWithFeedback(weights, equations, round(1e-4));
    for (const [i, w] of solution.weights.entries()) {
      assert.ok(Math.abs(w - weights[i]) < 0.01, `${i}: ${w}`);
    }
    for (const [o, b] of solution.bias.entries()) assert.ok(Math.abs(b - biases[o]) < 0.01);
  });

  test('finds the weights that were wanted from others', () => {
    const start = weights.map((w) => w + 0.3 * random.normal());
    const solution = roundWithFeedback(start, equations, round(1e-4));
    assert.ok(error(solution.weights, solution.bias) < 0.05 * error(start, biases));
  });

  test('makes less than half of the error of plain rounding, and its weights are those to round', () => {
    const step = round(0.5);
    const solution = roundWithFeedback(weights, equations, step);
    const plain = error(weights.map(step), biases);
    const ours = error(solution.weights.map(step), solution.bias);
    assert.ok(ours < 0.5 * plain, `${ours} against ${plain}`);
  });

  test('an input that never changes keeps its weight, and the bias makes good for its rounding', () => {
    const constant = normalEquations(Float32Array.of(9, 3, 15, 3, 1, 5, 15, 5, 25), 1, 1, true);
    const solution = roundWithFeedback(Float32Array.of(1.4), constant, Math.round);
    assert.equal(Math.fround(1.4), solution.weights[0]);
    assert.equal(solution.bias[0], 5 - 3);
  });

  test('a layer without a bias has its weights to answer for the mean', () => {
    const unbiased = normalEquations(Float32Array.of(9, 3, 15, 3, 1, 5, 15, 5, 25), 1, 1, false);
    const { weights: solved, bias } = roundWithFeedback(Float32Array.of(0), unbiased, (w) => w);
    assert.ok(Math.abs(solved[0] - 5 / 3) < 0.02, `${solved[0]}`);
    assert.equal(bias[0], 0);
  });
});
