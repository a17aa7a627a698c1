import { floatAttribute } from '../../onnx/attributes.js';
import { elementCount } from '../../onnx/elements.js';
import type { Rule } from './rule.js';

const RUNNING_AVERAGE_KEEP = 0.9;

/**
 * Batch normalization over [N,C,H,W]: inputs x, scale, bias, mean, variance. In training the statistics of the batch
 * are used and the stored ones move towards them; otherwise the stored ones are constants.
 */
export const batchNormalization: Rule = (context) => {
  const { builder: b, node, inputs, training } = context;
  const [x, scale, bias, runningMean, runningVariance] = inputs;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const channels = x.shape[1];
  const count = elementCount(x.shape) / channels;
  const axes = [0, 2, 3];
  const normalize = (
    s: typeof scale,
    o: typeof bias,
    mean: typeof scale,
    variance: typeof scale,
    eps: number,
  ) =>
    b.node('BatchNormalization', [x, s, o, mean, variance], x.shape, { epsilon: { float: eps } });
  const inverseStd = (variance: typeof scale) =>
    b.unary('Reciprocal', b.unary('Sqrt', b.add(variance, b.scalar(epsilon))));

  if (!training) {
    const y = normalize(scale, bias, runningMean, runningVariance, epsilon);
    const gain = () => b.reshape(b.mul(scale, inverseStd(runningVariance)), [channels, 1, 1]);
    return { output: y, pullback: (dy) => [() => b.mul(dy, gain()), null, null, null, null] };
  }

  const mean = b.reduce('Mean', x, axes);
  const meanSquare = b.reduce('Mean', b.mul(x, x), axes);
  // Relu: rounding can push the difference below zero.
  const variance = b.unary('Relu', b.sub(meanSquare, b.mul(mean, mean)));
  const average = (old: typeof scale, fresh: typeof scale) =>
    b.add(
      b.mul(old, b.scalar(RUNNING_AVERAGE_KEEP)),
      b.mul(fresh, b.scalar(1 - RUNNING_AVERAGE_KEEP)),
    );
  context.update(3, average(runningMean, mean));
  context.update(
    4,
    average(runningVariance, b.mul(variance, b.scalar(count / Math.max(1, count - 1)))),
  );

  const pullback = (dy: typeof x) => {
    const inverse = inverseStd(variance);
    const sumDy = b.reduce('Sum', dy, axes);
    const sumDyX = b.reduce('Sum', b.mul(dy, x), axes);
    const dScale = b.mul(inverse, b.sub(sumDyX, b.mul(mean, sumDy)));
    // dx = gain * dy + slope * x + offset, with one slope and offset a channel; the affine part is one pass when it
    // is written as an inference-mode normalization with mean 0 and variance 1.
    const dx = () => {
      const gain = b.mul(scale, inverse);
      const slope = b.neg(b.mul(b.mul(gain, b.mul(inverse, dScale)), b.scalar(1 / count)));
      const offset = b.neg(
        b.add(b.mul(b.mul(gain, sumDy), b.scalar(1 / count)), b.mul(slope, mean)),
      );
      const zeros = b.floats(new Float32Array(channels), [channels]);
      const ones = b.floats(new Float32Array(channels).fill(1), [channels]);
      const affine = normalize(slope, offset, zeros, ones, 0);
      return b.add(b.mul(dy, b.reshape(gain, [channels, 1, 1])), affine);
    };
    return [dx, () => dScale, () => sumDy, null, null];
  };
  return { output: normalize(scale, bias, mean, variance, epsilon), pullback };
};
