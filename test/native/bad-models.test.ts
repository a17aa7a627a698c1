import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensorOf } from '../../src/onnx/elements.js';
import type { Attribute, TensorData } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import { randomConvLayer, randomIntegers } from '../lcq/random-layers.js';
import { type OpUnderTest, opModel } from '../quantization/op-model.js';
import { convAddCase, convCase, convStreamCase, globalAveragePoolCase } from './op-cases.js';
import { runOp } from './run-op.js';

const layer = randomConvLayer(
  { weightBits: 2, depth: 4, channelsPerGroup: 6, batch: 1, size: [6, 6] },
  randomIntegers(1),
);
const conv = convCase(layer).op;
const stream = convStreamCase(layer).op;
const add = convAddCase(layer).op;
const pool = globalAveragePoolCase(1, {
  shape: [1, 2, 2, 3],
  data: new Int16Array(12),
}).op;

const withAttribute = (op: OpUnderTest, name: string, value: Attribute): OpUnderTest => ({
  ...op,
  attributes: { ...op.attributes, [name]: value },
});
const withInput = (op: OpUnderTest, name: string, tensor: TensorData): OpUnderTest => ({
  ...op,
  inputs: { ...op.inputs, [name]: tensor },
});
const without = (op: OpUnderTest, attribute: string): OpUnderTest => ({
  ...op,
  attributes: Object.fromEntries(
    Object.entries(op.attributes).filter(([name]) => name !== attribute),
  ),
});
const bytes = (...values: number[]) => tensorOf('uint8', [values.length], Uint8Array.from(values));
const ints = (...values: number[]) => tensorOf('int32', [values.length], Int32Array.from(values));
const weightBytes = conv.inputs.W.data.length;

/** Models that no session may be opened of; the message must name the culprit. */
const refused: Readonly<Record<string, [OpUnderTest, RegExp]>> = {
  'an attribute left out': [without(conv, 'strides'), /'strides'/],
  'an attribute of another type': [withAttribute(conv, 'group', { ints: [1] }), /'group'/],
  'a list that is too short': [withAttribute(conv, 'pads', { ints: [1, 1] }), /'pads'/],
  'a stride of 0': [withAttribute(conv, 'strides', { ints: [1, 0] }), /'strides'/],
  'a negative pad': [withAttribute(conv, 'pads', { ints: [0, 0, 0, -1] }), /'pads'/],
  'a dilation of 0': [withAttribute(conv, 'dilations', { ints: [0, 1] }), /'dilations'/],
  'a group that does not divide the outputs': [withAttribute(conv, 'group', { int: 4 }), /'group'/],
  'a weight shape beyond all memory': [
    withAttribute(conv, 'weight_shape', { ints: [2 ** 20, 2 ** 20, 2 ** 20, 2 ** 20] }),
    /'weight_shape'/,
  ],
  '5-bit weights': [withAttribute(conv, 'weight_bits', { int: 5 }), /'weight_bits'/],
  'a zero point of 256': [withAttribute(conv, 'input_zero_point', { int: 256 }), /zero_point/],
  'weights that are not constant': [{ ...conv, fed: ['X', 'W'] }, /'W' must be a constant/],
  'thresholds that are not constant': [{ ...conv, fed: ['X', 'thresholds'] }, /'thresholds'/],
  'weights that are too few': [withInput(conv, 'W', bytes(0)), /'W' has 1 bytes/],
  'weights that are too many': [
    withInput(conv, 'W', bytes(...new Array(weightBytes + 1).fill(0x55))),
    /'W'/,
  ],
  'a weight code without a level': [
    withInput(conv, 'W', bytes(...new Array(weightBytes).fill(0xff))),
    /'W' has the code 3/,
  ],
  'too few weight levels': [
    withInput(conv, 'weight_levels', tensorOf('int8', [2], Int8Array.of(0, 1))),
    /'weight_levels' has 2 entries/,
  ],
  'a middle weight level other than 0': [
    withInput(conv, 'weight_levels', tensorOf('int8', [3], Int8Array.of(-1, 1, 2))),
    /'weight_levels' must be 0/,
  ],
  'no input levels': [withInput(conv, 'input_levels', bytes()), /'input_levels'/],
  'input levels that decrease': [withInput(conv, 'input_levels', bytes(0, 2, 1)), /must not/],
  'thresholds for fewer outputs': [
    withInput(conv, 'thresholds', tensorOf('int32', [1, 3], Int32Array.of(1, 2, 3))),
    /'thresholds' has 1 rows/,
  ],
  'thresholds of another rank': [withInput(conv, 'thresholds', ints(1, 2, 3)), /2 axes/],
  'thresholds that descend': [
    withInput(
      conv,
      'thresholds',
      tensorOf('int32', [6, 2], Int32Array.of(1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 2, 1)),
    ),
    /'thresholds' must be ascending/,
  ],
  '256 thresholds': [
    withInput(stream, 'stream_thresholds', ints(...Array.from({ length: 256 }, (_, i) => i))),
    /more than 255/,
  ],
  'stream thresholds that descend': [withInput(stream, 'stream_thresholds', ints(2, 1)), /ascend/],
  'a scale for fewer outputs': [
    withInput(stream, 'scale', tensorOf('float32', [1], Float32Array.of(1))),
    /'scale' has 1 entries/,
  ],
  'an infinite bias': [
    withInput(stream, 'bias', tensorOf('float32', [6], new Float32Array(6).fill(Infinity))),
    /'bias' must be finite/,
  ],
  'an output minimum of 1': [withAttribute(stream, 'output_min', { int: 1 }), /'output_min'/],
  'a residual stride of 0': [withAttribute(add, 'residual_stride', { int: 0 }), /stride/],
  'a negative residual offset': [withAttribute(add, 'residual_offset', { int: -1 }), /offset/],
  'a scale of 0': [withAttribute(pool, 'scale', { float: 0 }), /'scale'/],
};

describe('a session of a bad model is refused, naming the op, the node and the culprit', () => {
  for (const [title, [op, message]] of Object.entries(refused)) {
    test(title, async () => {
      const model = encodeModel({ ...opModel(op), functions: [] });
      await assert.rejects(createLcqSession(model), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_ARGUMENT');
        assert.match(error.message, new RegExp(`${op.opType} node 'op': `));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('sums beyond 32 bits', async () => {
    const depth = 66_312; // 255 * 127 * 66312 is the first multiple beyond 2^31 - 1
    const op: OpUnderTest = {
      ...conv,
      inputs: {
        ...conv.inputs,
        W: tensorOf('uint8', [depth], new Uint8Array(depth).fill(127)),
        weight_levels: tensorOf(
          'int8',
          [255],
          Int8Array.from({ length: 255 }, (_, i) => i - 127),
        ),
        input_levels: tensorOf('uint8', [2], Uint8Array.of(0, 255)),
        thresholds: tensorOf('int32', [1, 1], Int32Array.of(1)),
      },
      attributes: {
        ...conv.attributes,
        weight_shape: { ints: [1, 1, 1, depth] },
        weight_bits: { int: 8 },
      },
    };
    const model = encodeModel({ ...opModel(op), functions: [] });
    await assert.rejects(createLcqSession(model), { message: /sums may reach 2147514120/ });
  });

  test('an op that the domain does not have', async () => {
    const model = encodeModel({ ...opModel({ ...conv, opType: 'LcqNothing' }), functions: [] });
    await assert.rejects(createLcqSession(model), { code: 'UNSUPPORTED', message: /LcqNothing/ });
  });
});

describe('a run on a bad input is refused, naming the op and the input', () => {
  const codes = (shape: readonly number[], code = 0) =>
    tensorOf('uint8', shape, new Uint8Array(shape.reduce((a, b) => a * b)).fill(code));
  const residuals = (shape: readonly number[]) =>
    tensorOf('int16', shape, new Int16Array(shape.reduce((a, b) => a * b)));

  const bad: Readonly<Record<string, [OpUnderTest, RegExp]>> = {
    'a code without a level': [withInput(conv, 'X', codes([1, 6, 6, 4], 4)), /'X' has the code 4/],
    'other channels': [withInput(conv, 'X', codes([1, 6, 6, 5])), /'X'.*\[1,6,6,5\]/],
    'another rank': [withInput(conv, 'X', codes([6, 6, 4])), /'X'.*\[6,6,4\]/],
    'an image smaller than the kernel': [
      withInput(withAttribute(conv, 'pads', { ints: [0, 0, 0, 0] }), 'X', codes([1, 2, 6, 4])),
      /smaller than the kernel/,
    ],
    'no image': [withInput(conv, 'X', codes([0, 6, 6, 4])), /'X'.*\[0,6,6,4\]/],
    'a residual of another batch': [withInput(add, 'R', residuals([2, 6, 6, 6])), /'R'/],
    'a residual of another size': [withInput(add, 'R', residuals([1, 6, 5, 6])), /'R'/],
    'a residual with too many channels': [withInput(add, 'R', residuals([1, 6, 6, 7])), /'R'/],
    'too many pixels for a 32-bit sum': [
      withInput(pool, 'S', residuals([1, 256, 256, 1])),
      /'S'.*65535/,
    ],
  };
  test('an output beyond all memory', async () => {
    const op = withAttribute(conv, 'pads', { ints: [2 ** 20, 0, 0, 2 ** 20] });
    await assert.rejects(runOp(op, {}), {
      code: 'INVALID_ARGUMENT',
      message: /LcqConv node.*'op'.*beyond 2\^31 - 1 elements/s,
    });
  });

  for (const [title, [op, message]] of Object.entries(bad)) {
    test(title, async () => {
      await assert.rejects(runOp(op, {}), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_ARGUMENT');
        assert.match(error.message, new RegExp(`${op.opType} node 'op': `));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
