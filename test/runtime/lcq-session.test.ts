import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DataType } from '../../src/onnx/graph.js';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import type { Tensor, TensorDataType, TensorElements } from '../../src/runtime/session.js';
import { convModel, standardModel } from './models.js';

const floats = (...data: number[]): Tensor => ({
  datatype: 'FP32',
  shape: [data.length / 3, 3],
  data: Float32Array.from(data),
});

describe('a session of a standard fp32 model', () => {
  const opened = createLcqSession(standardModel('Add', 'float32'));

  test('tells its inputs and outputs, free axes as -1', async () => {
    const session = await opened;
    assert.deepEqual(session.inputs, [{ name: 'X', datatype: 'FP32', shape: [-1, 3] }]);
    assert.deepEqual(session.outputs, [{ name: 'Y', datatype: 'FP32', shape: [-1, 3] }]);
    assert.deepEqual(session.kernels, []);
  });

  test('runs any batch', async () => {
    const session = await opened;
    const { Y } = await session.run({ X: floats(1, 2, 3, 4, 5, 6) });
    assert.deepEqual(Y, floats(2, 4, 6, 8, 10, 12));
    assert.deepEqual(await session.run({ X: floats() }), { Y: floats() });
  });

  const refused: [string, Record<string, Tensor>, RegExp][] = [
    ['a missing input', {}, /input 'X': is missing/],
    ['an unknown input', { X: floats(1, 2, 3), Z: floats(1, 2, 3) }, /no input 'Z'/],
    [
      'another data type',
      { X: { datatype: 'INT32', shape: [1, 3], data: new Int32Array(3) } },
      /input 'X': is INT32, must be FP32/,
    ],
    [
      'elements of another type',
      { X: { datatype: 'FP32', shape: [1, 3], data: new Float64Array(3) } },
      /input 'X': FP32 \[1,3\] takes 3 elements in a Float32Array/,
    ],
    [
      'fewer elements than the shape',
      { X: { datatype: 'FP32', shape: [2, 3], data: new Float32Array(5) } },
      /input 'X': FP32 \[2,3\] takes 6 elements/,
    ],
    [
      'another axis',
      { X: { datatype: 'FP32', shape: [1, 4], data: new Float32Array(4) } },
      /input 'X': has the shape \[1,4\], must be \[-1,3\]/,
    ],
    [
      'another rank',
      { X: { datatype: 'FP32', shape: [3], data: new Float32Array(3) } },
      /input 'X': has the shape \[3\]/,
    ],
    [
      'a negative axis',
      { X: { datatype: 'FP32', shape: [-1, 3], data: new Float32Array(3) } },
      /input 'X': has the shape \[-1,3\]/,
    ],
    [
      'a fractional axis',
      { X: { datatype: 'FP32', shape: [0.5, 3], data: new Float32Array(0) } },
      /input 'X': has the shape \[0.5,3\]/,
    ],
  ];
  for (const [title, feeds, message] of refused) {
    test(`refuses ${title}`, async () => {
      const session = await opened;
      await assert.rejects(session.run(feeds), { code: 'INVALID_ARGUMENT', message });
    });
  }

  test('reads a view into a larger buffer, and leaves it alone', async () => {
    const session = await opened;
    const buffer = Float32Array.of(9, 1, 2, 3, 9);
    const X: Tensor = { datatype: 'FP32', shape: [1, 3], data: buffer.subarray(1, 4) };
    const { Y } = await session.run({ X });
    assert.deepEqual(Y.data, Float32Array.of(2, 4, 6));
    assert.deepEqual(buffer, Float32Array.of(9, 1, 2, 3, 9));
  });
});

describe('every data type passes through a session', () => {
  const types: [TensorDataType, DataType, TensorElements][] = [
    ['BOOL', 'bool', Uint8Array.of(0, 1, 1)],
    ['UINT8', 'uint8', Uint8Array.of(0, 128, 255)],
    ['INT8', 'int8', Int8Array.of(-128, 0, 127)],
    ['UINT16', 'uint16', Uint16Array.of(0, 1, 65535)],
    ['INT16', 'int16', Int16Array.of(-32768, 0, 32767)],
    ['UINT32', 'uint32', Uint32Array.of(0, 1, 2 ** 32 - 1)],
    ['INT32', 'int32', Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)],
    ['UINT64', 'uint64', BigUint64Array.of(0n, 1n, 2n ** 64n - 1n)],
    ['INT64', 'int64', BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n)],
    ['FP16', 'float16', Uint16Array.of(0, 0x3c00, 0xfbff)],
    ['FP32', 'float32', Float32Array.of(-0, 1.5, Number.POSITIVE_INFINITY)],
    ['FP64', 'float64', Float64Array.of(-0, Math.PI, 1e300)],
  ];
  for (const [datatype, dtype, data] of types) {
    test(datatype, async () => {
      const session = await createLcqSession(standardModel('Identity', dtype));
      const { Y } = await session.run({ X: { datatype, shape: [1, 3], data } });
      assert.deepEqual(Y, { datatype, shape: [1, 3], data });
      await session.dispose();
    });
  }

  test('BOOL elements other than 0 and 1 do not', async () => {
    const session = await createLcqSession(standardModel('Identity', 'bool'));
    const X: Tensor = { datatype: 'BOOL', shape: [1, 3], data: Uint8Array.of(0, 1, 2) };
    await assert.rejects(session.run({ X }), { code: 'INVALID_ARGUMENT', message: /'X'.*BOOL/ });
    await session.dispose();
  });

  test('strings do not', async () => {
    await assert.rejects(createLcqSession(standardModel('Identity', 'string')), {
      code: 'UNSUPPORTED',
      message: /'X'/,
    });
  });
});

describe('opening a session', () => {
  test('of a file that is not there says so', async () => {
    await assert.rejects(createLcqSession('/no/such/model.onnx'), { code: 'NOT_FOUND' });
  });

  test('of bytes that are no model, or none at all, is refused', async () => {
    const code = 'INVALID_ARGUMENT';
    await assert.rejects(createLcqSession(Uint8Array.of(1, 2, 3)), { code });
    await assert.rejects(createLcqSession(new Uint8Array(0)), { code });
    await assert.rejects(createLcqSession(''), { code });
  });

  test('with a senseless number of threads is refused', async () => {
    for (const intraOpThreads of [-1, 1.5, Number.NaN, 1e6]) {
      await assert.rejects(createLcqSession(standardModel('Add', 'float32'), { intraOpThreads }), {
        code: 'INVALID_ARGUMENT',
        message: /intraOpThreads/,
      });
    }
  });
});

describe('closing a session', () => {
  test('lets the runs in flight end, and refuses new ones', async () => {
    const { bytes, feeds, expected } = convModel({ weightBits: 2, depth: 8, channelsPerGroup: 8 });
    const session = await createLcqSession(bytes);
    const runs = Array.from({ length: 8 }, () => session.run(feeds));
    const closed = session.dispose();
    await assert.rejects(session.run(feeds), { code: 'UNAVAILABLE' });
    for (const { Y } of await Promise.all(runs)) assert.deepEqual(Y.data, expected);
    await closed;
    await session.dispose();
    await assert.rejects(session.run(feeds), { code: 'UNAVAILABLE' });
  });
});
