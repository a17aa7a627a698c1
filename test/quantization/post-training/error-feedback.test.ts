import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  chooseDamping,
  normalEquations,
  refineRounding,
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
const noisy = wanted.map((row) => row.map((v) => v + 20 * random.normal()));
const round = (step: number) => (weight: number) => step * Math.round(weight / step);

/** Z^T Z of some samples. */
function gram(y: readonly number[][], from = 0, to = COUNT): Float32Array {
  const z = x.slice(from, to).map((row, s) => [...row, 1, ...y[from + s]]);
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

describe('the choice of damping', () => {
  const choice = (start: Float32Array, y: readonly number[][], few: number) => {
    const [seen, unseen] = [gram(y, 0, few), gram(y, few, COUNT)].map((g) =>
      normalEquations(g, K, M, true),
    );
    return chooseDamping(start, seen, unseen, round(1e-3));
  };

  test('is little where the samples tell of other weights, much where what they tell is noise', () => {
    const start = weights.map((w) => w + 0.3 * random.normal());
    assert.equal(choice(start, wanted, 300), 0.01);
    assert.equal(choice(weights, noisy, 40), 2);
  });
});

describe('rounding with feedback', () => {
  test('leaves weights that are right already, with their biases', () => {
    const solution = roundWithFeedback(weights, equations, 0.01, round(1e-4));
    for (const [i, w] of solution.weights.entries()) {
      assert.ok(Math.abs(w - weights[i]) < 0.01, `${i}: ${w}`);
    }
    for (const [o, b] of solution.bias.entries()) assert.ok(Math.abs(b - biases[o]) < 0.01);
  });

  test('finds the weights that were wanted from others', () => {
    const start = weights.map((w) => w + 0.3 * random.normal());
    const solution = roundWithFeedback(start, equations, 0.01, round(1e-4));
    assert.ok(error(solution.weights, solution.bias) < 0.05 * error(start, biases));
  });

  test('makes less than half of the error of plain rounding, and its weights are those to round', () => {
    const step = round(0.5);
    const solution = roundWithFeedback(weights, equations, 0.01, step);
    const plain = error(weights.map(step), biases);
    const ours = error(solution.weights.map(step), solution.bias);
    assert.ok(ours < 0.5 * plain, `${ours} against ${plain}`);
  });

  test('is refined by moving single weights where that lessens the error', () => {
    // Rounded to the nearest both err to the same side, which dependent inputs add up.
    const [inputs, best] = [Float64Array.of(1, 0.9, 0.9, 1), Float64Array.of(0.4, 0.4)];
    const rounded = new Float64Array(2);
    refineRounding(rounded, best, inputs, [-1, 0, 1]);
    assert.deepEqual([...rounded].sort(), [0, 1]);
    const beyond = new Float64Array(2);
    refineRounding(beyond, Float64Array.of(5, 5), inputs, [-1, 0, 1]);
    assert.deepEqual([...beyond], [1, 1]);
  });

  test('an input that never changes keeps its weight, and the bias makes good for its rounding', () => {
    const constant = normalEquations(Float32Array.of(9, 3, 15, 3, 1, 5, 15, 5, 25), 1, 1, true);
    const solution = roundWithFeedback(Float32Array.of(1.4), constant, 0.01, Math.round);
    assert.equal(Math.fround(1.4), solution.weights[0]);
    assert.equal(solution.bias[0], 5 - 3);
  });

  test('a layer without a bias has its weights to answer for the mean', () => {
    const unbiased = normalEquations(Float32Array.of(9, 3, 15, 3, 1, 5, 15, 5, 25), 1, 1, false);
    const { weights: solved, bias } = roundWithFeedback(
      Float32Array.of(0),
      unbiased,
      0.01,
      (w) => w,
    );
    assert.ok(Math.abs(solved[0] - 5 / 3) < 0.02, `${solved[0]}`);
    assert.equal(bias[0], 0);
  });
});
