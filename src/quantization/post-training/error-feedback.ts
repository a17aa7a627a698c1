/**
 * The normal equations of a linear layer y = W x + b with K inputs and M outputs, from samples of the input that the layer
 * gets and of the output that is wanted of it. Without a b, means are zero and covariances are second moments.
 */
export interface NormalEquations {
  /** Covariance of the inputs [K,K]. */
  readonly inputs: Float64Array;
  /** Covariance of outputs with inputs [M,K]. */
  readonly outputs: Float64Array;
  readonly inputMean: Float64Array;
  readonly outputMean: Float64Array;
}

/** Weight on staying where the weights are, as a part of the mean variance of the inputs. */
const DAMPING = 0.01;

/** @param gram Z^T Z [D,D] of samples Z = [x, 1, y] [n, D], D = K + 1 + M, row-major */
export function normalEquations(
  gram: Float32Array,
  k: number,
  m: number,
  biased: boolean,
): NormalEquations {
  const d = k + 1 + m;
  const at = (row: number, column: number) => gram[row * d + column];
  const count = at(k, k);
  const mean = (i: number) => (biased ? at(k, i) / count : 0);
  const inputMean = Float64Array.from({ length: k }, (_, i) => mean(i));
  const outputMean = Float64Array.from({ length: m }, (_, o) => mean(k + 1 + o));
  const covariance = (row: number, i: number) => at(row, i) / count - mean(row) * inputMean[i];
  return {
    inputs: Float64Array.from({ length: k * k }, (_, at) => covariance(Math.floor(at / k), at % k)),
    outputs: Float64Array.from({ length: m * k }, (_, at) =>
      covariance(k + 1 + Math.floor(at / k), at % k),
    ),
    inputMean,
    outputMean,
  };
}

/**
 * Weights that, rounded, come close to the wanted outputs in the sense of least squares: the best real weights, rounded
 * one input after the other, each taking over the error that the inputs before it made (GPTQ, arXiv 2210.17323).
 * @param weights [M,K], where damping pulls to
 * @param quantize the value that a weight of output `m` is rounded to
 * @returns weights that `quantize` takes to the solution, and the biases that go with it
 */
export function roundWithFeedback(
  weights: Float32Array,
  { inputs, outputs, inputMean, outputMean }: NormalEquations,
  quantize: (weight: number, m: number) => number,
): { weights: Float32Array; bias: Float32Array } {
  const [k, m] = [inputMean.length, outputMean.length];
  let trace = 0;
  for (let i = 0; i < k; i++) trace += inputs[i * k + i];
  const damping = Math.max((DAMPING * trace) / k, Number.MIN_VALUE);
  const damped = inputs.map((v, i) => (i % (k + 1) === 0 ? v + damping : v));
  const factor = upperFactor(damped, k);
  const solution = new Float32Array(m * k);
  const bias = new Float32Array(m);
  const errors = new Float64Array(k);
  for (let o = 0; o < m; o++) {
    const row = weights.subarray(o * k, (o + 1) * k);
    const best = improve(row, inputs, outputs.subarray(o * k, (o + 1) * k), factor);
    let offset = outputMean[o];
    for (let i = 0; i < k; i++) {
      let feedback = 0;
      for (let j = 0; j < i; j++) feedback += factor[i * k + j] * errors[j];
      const weight = best[i] + feedback / factor[i * k + i];
      const rounded = quantize(weight, o);
      errors[i] = best[i] - rounded;
      solution[o * k + i] = weight;
      offset -= rounded * inputMean[i];
    }
    bias[o] = offset;
  }
  return { weights: solution, bias };
}

/** w + (g - w H) A^-1 for A = U U^T: the least squares solution, damped towards w. */
function improve(
  w: Float32Array,
  h: Float64Array,
  g: Float64Array,
  factor: Float64Array,
): Float64Array {
  const k = w.length;
  const x = Float64Array.from(g);
  for (let j = 0; j < k; j++) {
    if (w[j] !== 0) for (let i = 0; i < k; i++) x[i] -= w[j] * h[j * k + i];
  }
  // U z = x from the last row on, then U^T y = z; row i of `factor` is column i of U.
  for (let i = k - 1; i >= 0; i--) {
    x[i] /= factor[i * k + i];
    for (let j = 0; j < i; j++) x[j] -= factor[i * k + j] * x[i];
  }
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < i; j++) x[i] -= factor[i * k + j] * x[j];
    x[i] /= factor[i * k + i];
  }
  return x.map((v, i) => v + w[i]);
}

/** U^T for the upper triangular U with U U^T = a, which is symmetric and positive definite. */
function upperFactor(a: Float64Array, k: number): Float64Array {
  const t = Float64Array.from(a);
  for (let i = k - 1; i >= 0; i--) {
    const pivot = Math.sqrt(t[i * k + i]);
    for (let j = 0; j <= i; j++) t[i * k + j] /= pivot;
    for (let r = 0; r < i; r++) {
      const f = t[i * k + r];
      if (f !== 0) for (let j = 0; j <= r; j++) t[r * k + j] -= f * t[i * k + j];
    }
  }
  return t;
}
