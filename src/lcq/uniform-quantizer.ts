/**
 * s: the number of steps of the uniform quantizer q_s on [0, 1] inside LCQ. Activations are unsigned, s = 2^b - 1;
 * weights are signed and symmetric, s = 2^(b-1) - 1 for their magnitude.
 */
export function uniformSteps(bits: number, signed: boolean): number {
  return signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
}

/** The code of y in [0, 1]: round(s y), the higher one on a tie. An integer in [0, s]. */
export function uniformCode(y: number, steps: number): number {
  return Math.floor(steps * y + 0.5);
}

/** q_s(y) = round(s y) / s */
export function quantizeUniform(y: number, steps: number): number {
  return uniformCode(y, steps) / steps;
}
