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

/** Weights on staying where the weights are that are tried, as parts of the mean variance of the inputs. */
const DAMPINGS = [0.01, 0.1, 0.5, 2];

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
 * @param damping as a part of the mean variance of the inputs
 * @param quantize the value that a weight of output `m` is rounded to
 * @param levels all values that `quantize` gives for output `m`, ascending; with them single weights are moved after that
 * @returns weights that `quantize` takes to the solution, and the biases that go with it
 */
export function roundWithFeedback(
  weights: Float32Array,
  { inputs, outputs, inputMean, outputMean }: NormalEquations,
  damping: number,
  quantize: (weight: number, m: number) => number,
  levels?: (m: number) => ArrayLike<number>,
): { weights: Float32Array; bias: Float32Array } {
  const [k, m] = [inputMean.length, outputMean.length];
  let trace = 0;
  for (let i = 0; i < k; i++) trace += inputs[i * k + i];
  const pull = Math.max((damping * trace) / k, Number.MIN_VALUE);
  const damped = inputs.map((v, i) => (i % (k + 1) === 0 ? v + pull : v));
  const factor = upperFactor(damped, k);
  const solution = new Float32Array(m * k);
  const bias = new Float32Array(m);
  const errors = new Float64Array(k);
  for (let o = 0; o < m; o++) {
    const row = weights.subarray(o * k, (o + 1) * k);
    const best = improve(row, inputs, outputs.subarray(o * k, (o + 1) * k), factor);
    const values = new Float64Array(k);
    for (let i = 0; i < k; i++) {
      let feedback = 0;
      for (let j = 0; j < i; j++) feedback += factor[i * k + j] * errors[j];
      const weight = best[i] + feedback / factor[i * k + i];
      values[i] = quantize(weight, o);
      errors[i] = best[i] - values[i];
      solution[o * k + i] = weight;
    }
    if (levels) {
      const first = values.slice();
      refineRounding(values, best, damped, levels(o));
      values.forEach((value, i) => {
        if (value !== first[i]) solution[o * k + i] = value;
      });
    }
    bias[o] = values.reduce((offset, value, i) => offset - value * inputMean[i], outputMean[o]);
  }
  return { weights: solution, bias };
}

/**
 * The damping whose solution for some images serves others best. Inputs that hardly vary tell little of the weights on
 * them: with a hundred inputs and more, what the least squares make of them is noise of the images.
 * @param seen of the images that are solved for
 * @param unseen of others
 */
export function chooseDamping(
  weights: Float32Array,
  seen: NormalEquations,
  unseen: NormalEquations,
  quantize: (weight: number, m: number) => number,
): number {
  const k = seen.inputMean.length;
  const errors = DAMPINGS.map((damping) => {
    const solution = roundWithFeedback(weights, seen, damping, quantize);
    const values = solution.weights.map((weight, i) => quantize(weight, Math.floor(i / k)));
    return squaredError(values, unseen);
  });
  return DAMPINGS[errors.reduce((best, error, i) => (error < errors[best] ? i : best), 0)];
}

/** Mean over samples of the squared error of all outputs, less what it is with weights of zero. */
function squaredError(
  weights: Float32Array,
  { inputs, outputs, inputMean }: NormalEquations,
): number {
  const k = inputMean.length;
  let error = 0;
  for (let row = 0; row < weights.length; row += k) {
    for (let i = 0; i < k; i++) {
      let product = 0;
      for (let j = 0; j < k; j++) product += inputs[i * k + j] * weights[row + j];
      error += weights[row + i] * (product - 2 * outputs[row + i]);
    }
  }
  return error;
}

/** Passes over the weights of an output; the later ones find little. */
const MOST_SWEEPS = 10;

/**
 * Moves single rounded weights to a level beside theirs while that makes the squared error of the output less: feedback
 * decides each weight once, before it knows what becomes of those behind it.
 * @param rounded [K], changed in place
 * @param best [K], the real weights with the least error
 * @param inputs covariance of the inputs [K,K]
 * @param levels what a weight may be, ascending
 */
export function refineRounding(
  rounded: Float64Array,
  best: Float64Array,
  inputs: Float64Array,
  levels: ArrayLike<number>,
): void {
  const k = rounded.length;
  const gradient = new Float64Array(k);
  const move = (i: number, change: number) => {
    for (let j = 0; j < k; j++) gradient[j] += change * inputs[i * k + j];
  };
  for (let i = 0; i < k; i++) move(i, rounded[i] - best[i]);
  const codes = Int32Array.from(rounded, (value) => nearest(levels, value));
  for (let sweep = 0, moved = true; moved && sweep < MOST_SWEEPS; sweep++) {
    moved = false;
    for (let i = 0; i < k; i++) {
      const next = codes[i] - Math.sign(gradient[i]);
      if (next < 0 || next >= levels.length) continue;
      const change = levels[next] - levels[codes[i]];
      if (change * (2 * gradient[i] + change * inputs[i * k + i]) >= 0) continue;
      move(i, change);
      codes[i] = next;
      rounded[i] = levels[next];
      moved = true;
    }
  }
}

function nearest(levels: ArrayLike<number>, value: number): number {
  let code = 0;
  for (let i = 1; i < levels.length; i++) {
    if (Math.abs(levels[i] - value) < Math.abs(levels[code] - value)) code = i;
  }
  return code;
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
