const float32 = new Float32Array(1);
const float32Bits = new Int32Array(float32.buffer);

/** The largest binary32 that is not above `value`, for `value` >= 0. */
function roundDown(value: number): number {
  float32[0] = value;
  if (float32[0] > value) float32Bits[0] -= 1;
  return float32[0];
}

/**
 * Probabilities of a vector of logits, each in [0, 1].
 *
 * Computed in binary64 and rounded down to binary32, the type of a score on the wire: rounding to nearest could make
 * the scores of one picture add up to more than 1. A logit of -Infinity has probability 0; NaN is not expected.
 */
export function softmax(logits: ArrayLike<number>): Float32Array {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]);
  const exponentials = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return Float32Array.from(exponentials, (value) => roundDown(value / sum));
}
