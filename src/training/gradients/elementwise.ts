import type { Rule } from './rule.js';

export const add: Rule = ({ builder: b, inputs: [x, y] }) => ({
  output: b.add(x, y),
  pullback: (dz) => [() => b.sumTo(dz, x.shape), () => b.sumTo(dz, y.shape)],
});

export const sub: Rule = ({ builder: b, inputs: [x, y] }) => ({
  output: b.sub(x, y),
  pullback: (dz) => [() => b.sumTo(dz, x.shape), () => b.sumTo(b.neg(dz), y.shape)],
});

export const mul: Rule = ({ builder: b, inputs: [x, y] }) => ({
  output: b.mul(x, y),
  pullback: (dz) => [() => b.sumTo(b.mul(dz, y), x.shape), () => b.sumTo(b.mul(dz, x), y.shape)],
});

export const div: Rule = ({ builder: b, inputs: [x, y] }) => {
  const z = b.div(x, y);
  return {
    output: z,
    pullback: (dz) => [
      () => b.sumTo(b.div(dz, y), x.shape),
      () => b.sumTo(b.neg(b.div(b.mul(dz, z), y)), y.shape),
    ],
  };
};

export const sqrt: Rule = ({ builder: b, inputs: [x] }) => {
  const y = b.unary('Sqrt', x);
  return { output: y, pullback: (dy) => [() => b.div(b.mul(dy, b.scalar(0.5)), y)] };
};

export const exp: Rule = ({ builder: b, inputs: [x] }) => {
  const y = b.unary('Exp', x);
  return { output: y, pullback: (dy) => [() => b.mul(dy, y)] };
};

/** Images enter as uint8: nothing flows back through the cast. */
export const cast: Rule = ({ builder: b, inputs: [x] }) => ({
  output: b.cast(x, 'float32'),
  pullback: () => [null],
});
