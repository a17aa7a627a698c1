import { floatAttribute, intAttribute } from '../../onnx/attributes.js';
import type { GraphBuilder, Value } from '../../onnx/builder.js';
import { elementsOf } from '../../onnx/elements.js';
import type { Rule } from './rule.js';

/**
 * 1 where x > 0, 0 elsewhere: HardSigmoid with a huge slope, measured as the fastest mask on onnxruntime.
 */
function positive(b: GraphBuilder, x: Value): Value {
  return b.unary('HardSigmoid', x, { alpha: { float: 1e30 }, beta: { float: 0 } });
}

export const relu: Rule = ({ builder: b, inputs: [x] }) => {
  const y = b.unary('Relu', x);
  return { output: y, pullback: (dy) => [() => b.mul(dy, positive(b, y))] };
};

/** Clip to constant bounds, either of which may be left out; ReLU6 is Clip to [0, 6]. */
export const clip: Rule = (context) => {
  const { builder: b, node, inputs } = context;
  const [x] = inputs;
  const bound = (i: number, fallback: number) =>
    node.inputs[i] ? elementsOf(context.constant(i), 'float32')[0] : fallback;
  const low = bound(1, Number.NEGATIVE_INFINITY);
  const high = bound(2, Number.POSITIVE_INFINITY);
  const y = b.clip(x, low, high);
  const inside = () => {
    const masks = [
      ...(low > Number.NEGATIVE_INFINITY ? [b.sub(y, b.scalar(low))] : []),
      ...(high < Number.POSITIVE_INFINITY ? [b.sub(b.scalar(high), y)] : []),
    ].map((distance) => positive(b, distance));
    return masks.reduce((a, mask) => b.mul(a, mask));
  };
  const bounded = Number.isFinite(low) || Number.isFinite(high);
  const rest = inputs.slice(1).map(() => null);
  return { output: y, pullback: (dy) => [() => (bounded ? b.mul(dy, inside()) : dy), ...rest] };
};

export const leakyRelu: Rule = ({ builder: b, node, inputs: [x] }) => {
  const alpha = floatAttribute(node, 'alpha', 0.01);
  return {
    output: b.unary('LeakyRelu', x, { alpha: { float: alpha } }),
    pullback: (dy) => [
      () => {
        const slope = b.add(b.mul(positive(b, x), b.scalar(1 - alpha)), b.scalar(alpha));
        return b.mul(dy, slope);
      },
    ],
  };
};

export const sigmoid: Rule = ({ builder: b, inputs: [x] }) => {
  const y = b.unary('Sigmoid', x);
  return {
    output: y,
    pullback: (dy) => [() => b.mul(dy, b.mul(y, b.sub(b.scalar(1), y)))],
  };
};

/** log(1 + e^x) */
export const softplus: Rule = ({ builder: b, inputs: [x] }) => ({
  output: b.unary('Softplus', x),
  pullback: (dy) => [() => b.mul(dy, b.unary('Sigmoid', x))],
});

/** max(0, min(1, alpha x + beta)) */
export const hardSigmoid: Rule = ({ builder: b, node, inputs: [x] }) => {
  const alpha = floatAttribute(node, 'alpha', 0.2);
  const beta = floatAttribute(node, 'beta', 0.5);
  const y = b.unary('HardSigmoid', x, { alpha: { float: alpha }, beta: { float: beta } });
  return { output: y, pullback: (dy) => [() => b.mul(dy, hardSigmoidSlope(b, y, alpha))] };
};

function hardSigmoidSlope(b: GraphBuilder, y: Value, alpha: number): Value {
  const inside = b.mul(positive(b, y), positive(b, b.sub(b.scalar(1), y)));
  return b.mul(inside, b.scalar(alpha));
}

/** x HardSigmoid(x) with alpha = 1/6 and beta = 1/2 */
export const hardSwish: Rule = ({ builder: b, inputs: [x] }) => {
  const attributes = { alpha: { float: 1 / 6 }, beta: { float: 0.5 } };
  return {
    output: b.unary('HardSwish', x),
    pullback: (dy) => [
      () => {
        const gate = b.unary('HardSigmoid', x, attributes);
        return b.mul(dy, b.add(gate, b.mul(x, hardSigmoidSlope(b, gate, 1 / 6))));
      },
    ],
  };
};

export const softmax: Rule = ({ builder: b, node, inputs: [x] }) => {
  const axis = (intAttribute(node, 'axis', -1) + x.shape.length) % x.shape.length;
  const y = b.unary('Softmax', x, { axis });
  return {
    output: y,
    pullback: (dy) => [
      () => {
        const weighted = b.mul(dy, y);
        return b.sub(weighted, b.mul(y, b.reduce('Sum', weighted, [axis], true)));
      },
    ],
  };
};
