import { tensorOf } from '../../src/onnx/elements.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { createLcqSession, type LcqSession } from '../../src/runtime/lcq-session.js';
import type { Tensor } from '../../src/runtime/session.js';
import { convNodeAttributes, opModel } from '../quantization/op-model.js';

const [size, channels] = [48, 64];

/** A convolution of 85 million products: some tens of milliseconds for the scalar kernel. */
export function openSlowSession(): Promise<LcqSession> {
  const shape = [1, size, size, channels];
  const weights = 9 * channels * channels;
  const op = {
    opType: 'LcqConv',
    inputs: {
      X: tensorOf('uint8', shape, new Uint8Array(size * size * channels)),
      W: tensorOf('uint8', [weights / 4], new Uint8Array(weights / 4)),
      weight_levels: tensorOf('int8', [3], Int8Array.of(-1, 0, 1)),
      input_levels: tensorOf('uint8', [2], Uint8Array.of(0, 1)),
      thresholds: tensorOf('int32', [channels, 1], new Int32Array(channels).fill(-8 * channels)),
    },
    fed: ['X'],
    outputs: [{ name: 'Y', type: { dtype: 'uint8', shape } }],
    attributes: convNodeAttributes({
      weightShape: [channels, 3, 3, channels],
      weightBits: 2,
      strides: [1, 1],
      pads: [1, 1, 1, 1],
      dilations: [1, 1],
      group: 1,
      inputZeroPoint: 0,
    }),
  } as const;
  return createLcqSession(encodeModel({ ...opModel(op), functions: [] }), { kernels: 'scalar' });
}

export const slowFeeds: Readonly<Record<string, Tensor>> = {
  X: {
    datatype: 'UINT8',
    shape: [1, size, size, channels],
    data: new Uint8Array(size * size * channels).fill(1),
  },
};

/** All weights are -1 and all inputs 1, so only at the edges, with less than 8 taps in the image, is the code 1. */
export function slowResult(): Uint8Array {
  const inside = (at: number) => at > 0 && at < size - 1;
  return Uint8Array.from({ length: size * size * channels }, (_, i) => {
    const pixel = Math.floor(i / channels);
    return inside(pixel % size) && inside(Math.floor(pixel / size)) ? 0 : 1;
  });
}
