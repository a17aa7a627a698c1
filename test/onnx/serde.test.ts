import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LcqError } from '../../src/errors.js';
import { tensorOf } from '../../src/onnx/elements.js';
import type { DataType, Model } from '../../src/onnx/graph.js';
import { decodeModel, encodeModel } from '../../src/onnx/serde.js';
import { lcqFunctions } from '../../src/quantization/op-functions.js';
import { seeded } from '../lcq/arbitraries.js';
import { delimited, initializer, integer, modelBytes, nodeWithAttribute, varint } from './wire.js';

const weights = tensorOf('float32', [2, 2], Float32Array.of(1, -0, Number.NaN, 3.5));

const model: Model = {
  irVersion: 10,
  producer: 'test',
  opsets: { '': 21, lcq: 1 },
  graph: {
    name: 'g',
    inputs: [{ name: 'x', type: { dtype: 'uint8', shape: ['N', 32, 32, 3] } }],
    outputs: [{ name: 'y', type: { dtype: 'float32', shape: ['N', 10] } }],
    initializers: new Map([
      ['w', weights],
      ['empty', tensorOf('int64', [0, 3], new BigInt64Array(0))],
      ['scalar', tensorOf('int64', [], BigInt64Array.of(-(2n ** 63n)))],
    ]),
    nodes: [
      {
        name: 'n',
        opType: 'Everything',
        domain: 'test',
        inputs: ['x', '', 'w'],
        outputs: ['y'],
        attributes: {
          int: { int: -(2 ** 53) + 1 },
          float: { float: Math.fround(0.1) },
          zero: { float: 0 },
          string: { string: 'ä' },
          ints: { ints: [0, -1, 2 ** 40] },
          none: { ints: [] },
          floats: { floats: [0.5, Number.POSITIVE_INFINITY] },
          strings: { strings: ['a', ''] },
          tensor: { tensor: weights },
          ref: { ref: 'outer', type: 'ints' },
          ['__proto__']: { int: 1 },
        },
      },
    ],
  },
  functions: [...lcqFunctions],
  metadata: { labels: 'cat,dog', ['__proto__']: 'plain' },
};

const refused = (code: 'INVALID_ARGUMENT' | 'UNSUPPORTED', message: RegExp) => ({
  name: 'LcqError',
  code,
  message,
});

describe('a model written and read', () => {
  test('is the same', () => {
    assert.deepEqual(decodeModel(encodeModel(model)), model);
  });

  test('shares the memory of the file', () => {
    const bytes = encodeModel(model);
    const { data } = decodeModel(bytes).graph.initializers.get('w') ?? weights;
    assert.equal(data.buffer, bytes.buffer);
  });

  test('may name the standard domain ai.onnx', () => {
    const opset = delimited(8, [...delimited(1, 'ai.onnx'), ...integer(2, 21)]);
    assert.deepEqual(decodeModel(Uint8Array.from([...modelBytes(), ...opset])).opsets, { '': 21 });
  });

  test('of an old version, which lists constants as inputs too, has them as constants only', () => {
    const listed = delimited(11, delimited(1, 't'));
    const bytes = modelBytes(initializer(integer(1, 1), integer(2, 2), delimited(9, [7])), listed);
    const { inputs, initializers } = decodeModel(bytes).graph;
    assert.deepEqual(inputs, []);
    assert.deepEqual(initializers.get('t'), { dtype: 'uint8', shape: [1], data: Uint8Array.of(7) });
  });
});

describe('a tensor stored in the field of its type', () => {
  const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer as ArrayBuffer);
  // Code of the type, its field in TensorProto, what the field holds, the elements expected.
  const cases: [DataType, number, number, number[], ArrayBufferView][] = [
    ['float32', 1, 4, [...bytesOf(Float32Array.of(1.5, -2))], Float32Array.of(1.5, -2)],
    ['uint8', 2, 5, [255, 1, 3], Uint8Array.of(255, 3)],
    ['int8', 3, 5, [...varint(-1), 3], Int8Array.of(-1, 3)],
    ['uint16', 4, 5, [...varint(65535), 3], Uint16Array.of(65535, 3)],
    ['int16', 5, 5, [...varint(-32768), 3], Int16Array.of(-32768, 3)],
    ['int32', 6, 5, [...varint(-(2 ** 31)), 3], Int32Array.of(-(2 ** 31), 3)],
    ['int64', 7, 7, [...varint(-(2n ** 63n)), 3], BigInt64Array.of(-(2n ** 63n), 3n)],
    ['bool', 9, 5, [1, 0], Uint8Array.of(1, 0)],
    ['float16', 10, 5, [...varint(0x3c00), 0], Uint16Array.of(0x3c00, 0)],
    ['float64', 11, 10, [...bytesOf(Float64Array.of(0.1, 2))], Float64Array.of(0.1, 2)],
    ['uint32', 12, 11, [...varint(2 ** 32 - 1), 3], Uint32Array.of(2 ** 32 - 1, 3)],
    ['uint64', 13, 11, [...varint(2n ** 64n - 1n), 3], BigUint64Array.of(2n ** 64n - 1n, 3n)],
  ];
  for (const [dtype, code, field, content, elements] of cases) {
    test(dtype, () => {
      const bytes = modelBytes(
        initializer(integer(1, 2), integer(2, code), delimited(field, content)),
      );
      const tensor = decodeModel(bytes).graph.initializers.get('t');
      assert.deepEqual(tensor, { dtype, shape: [2], data: bytesOf(elements) });
    });
  }
});

describe('what cannot be read is refused', () => {
  const uint8 = integer(2, 2);
  const oneByte = delimited(9, [7]);
  const invalid: [string, Uint8Array, RegExp][] = [
    ['no bytes at all', new Uint8Array(), /holds no graph/],
    ['text', Buffer.from('<!doctype html>'), /damaged or of another format/],
    [
      'a shape of more elements',
      modelBytes(initializer(integer(1, 2), uint8, oneByte)),
      /"t": its 1 bytes/,
    ],
    [
      'a negative size',
      modelBytes(initializer(integer(1, -1), uint8, oneByte)),
      /"t", shape: -1 is negative/,
    ],
    [
      'a size beyond exact integers',
      modelBytes(initializer(integer(1, 2n ** 60n), uint8)),
      /1152921504606846976/,
    ],
    [
      'sizes whose product overflows',
      modelBytes(initializer(...new Array(40).fill(integer(1, 2 ** 30)), uint8)),
      /do not fit/,
    ],
    [
      'a constant defined twice',
      modelBytes(...new Array(2).fill(initializer(integer(1, 1), uint8, oneByte))),
      /defined twice/,
    ],
    [
      'an attribute of text that is not UTF-8',
      modelBytes(nodeWithAttribute(integer(20, 3), delimited(4, [0xff]))),
      /"n" .*"a": .*UTF-8/,
    ],
    [
      'an integer beyond exact ones',
      modelBytes(nodeWithAttribute(integer(20, 2), integer(3, 2n ** 62n))),
      /"a"/,
    ],
    [
      'a tensor attribute without tensor',
      modelBytes(nodeWithAttribute(integer(20, 4))),
      /tensor is missing/,
    ],
  ];
  for (const [title, bytes, message] of invalid) {
    test(title, () =>
      assert.throws(() => decodeModel(bytes), refused('INVALID_ARGUMENT', message)),
    );
  }

  const location = [...delimited(1, 'location'), ...delimited(2, '/etc/passwd')];
  const unsupported: [string, Uint8Array, RegExp][] = [
    [
      'data in another file',
      modelBytes(initializer(uint8, integer(14, 1), delimited(13, location))),
      /outside the model file/,
    ],
    [
      'a tensor of strings',
      modelBytes(initializer(integer(1, 1), integer(2, 8), delimited(6, 'x'))),
      /strings/,
    ],
    [
      'an element type that is not known',
      modelBytes(initializer(integer(1, 1), integer(2, 77))),
      /type 77/,
    ],
    [
      'a subgraph',
      modelBytes(nodeWithAttribute(integer(20, 5), delimited(6, []))),
      /attribute type 5/,
    ],
    [
      'an input that is not a tensor',
      modelBytes(delimited(11, delimited(1, 'x'))),
      /"x" is not a tensor/,
    ],
    ['sparse constants', modelBytes(delimited(15, [])), /sparse/],
  ];
  for (const [title, bytes, message] of unsupported) {
    test(title, () => assert.throws(() => decodeModel(bytes), refused('UNSUPPORTED', message)));
  }
});

describe('hostile bytes', () => {
  const bytes = encodeModel(model);

  function decodesOrRefuses(candidate: Uint8Array): void {
    try {
      decodeModel(candidate);
    } catch (error) {
      assert.ok(error instanceof LcqError, String(error));
      assert.ok(['INVALID_ARGUMENT', 'UNSUPPORTED'].includes(error.code));
    }
  }

  test('cut anywhere', () => {
    for (let length = 0; length < bytes.length; length += 3)
      decodesOrRefuses(bytes.subarray(0, length));
  });

  test('changed anywhere', () => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, value] of changes) damaged[at] = value;
        decodesOrRefuses(damaged);
      }),
      { ...seeded, numRuns: 2000 },
    );
  });

  test('of no format', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrRefuses), seeded);
  });

  test('of unknown groups nested without end', () => {
    decodesOrRefuses(new Uint8Array(2_000_000).fill((99 << 3) | 3));
  });
});
