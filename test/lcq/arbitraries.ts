import fc from 'fast-check';

/** Every property runs on the same examples each time. */
export const seeded = { seed: 20210716, numRuns: 200 };

/** Parameters of a compander of 1 to 20 intervals, spread widely. */
export const theta = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), {
  minLength: 1,
  maxLength: 20,
});

/** Values in [0, 1]. */
export const unit = fc.double({ min: 0, max: 1, noNaN: true });

/** Steps of the quantizers in use: weights of 2, 3, 4, 8 bits, activations of 2, 3, 4, 8 bits. */
export const steps = fc.constantFrom(1, 3, 7, 15, 127, 255);

/** The bits of weights and activations. */
export const bits = fc.constantFrom(2 as const, 3 as const, 4 as const, 8 as const);
