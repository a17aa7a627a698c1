import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor, TensorDataType } from '../../../src/runtime/session.js';
import { elementsFromBytes } from '../../../src/serving/tensor-bytes.js';
import { bytesOfJson, jsonOfTensor } from '../../../src/transport/rest/json-tensor.js';

const parse = (datatype: TensorDataType, data: unknown[], shape = [data.length]) =>
  elementsFromBytes(datatype, bytesOfJson('x', datatype, shape, data));

test('each datatype takes its own values', () => {
  assert.deepEqual(parse('BOOL', [true, false, 1, 0]), Uint8Array.of(1, 0, 1, 0));
  assert.deepEqual(parse('INT8', [-128, 127]), Int8Array.of(-128, 127));
  assert.deepEqual(parse('UINT16', [65535]), Uint16Array.of(65535));
  assert.deepEqual(parse('INT64', [-(2 ** 53) + 1]), BigInt64Array.of(-(2n ** 53n) + 1n));
  assert.deepEqual(parse('FP32', [0.1, -3]), Float32Array.of(0.1, -3));
  assert.deepEqual(parse('FP64', [1e300]), Float64Array.of(1e300));
});

test('values outside the datatype are refused, not bent', () => {
  const cases: [TensorDataType, unknown][] = [
    ['INT8', 128],
    ['UINT8', -1],
    ['UINT8', 1.5],
    ['UINT32', 2 ** 32],
    ['INT64', 2 ** 53],
    ['UINT64', -1],
    ['FP32', '1'],
    ['FP32', null],
    ['FP32', true],
    ['BYTES', 1],
  ];
  for (const [datatype, value] of cases) {
    assert.throws(
      () => parse(datatype, [value]),
      { code: 'INVALID_ARGUMENT' },
      `${datatype} ${value}`,
    );
  }
});

test('nesting does not matter, the count does', () => {
  assert.deepEqual(parse('UINT8', [[1, [2]], 3], [3]), Uint8Array.of(1, 2, 3));
  assert.throws(() => parse('UINT8', [1, 2], [3]), /has 2 values, shape \[3\] means 3/);
  assert.throws(
    () =>
      parse(
        'UINT8',
        [
          [1, 2],
          [3, 4],
        ],
        [2],
      ),
    /has more than 2 values, shape \[2\] means 2/,
  );
});

test('tensors are written flat and without loss, or not at all', () => {
  const json = (datatype: TensorDataType, data: Tensor['data']) =>
    jsonOfTensor('y', { datatype, shape: [data.length], data });
  assert.equal(json('FP32', Float32Array.of(0.5, -1e-7)), '[0.5,-1.0000000116860974e-7]');
  assert.equal(json('INT64', BigInt64Array.of(2n ** 62n)), '[4611686018427387904]');
  assert.equal(json('BOOL', Uint8Array.of(1, 0, 1)), '[true,false,true]');
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    assert.throws(() => json('FP32', Float32Array.of(value)), /Please use the binary data format/);
  }
  assert.throws(() => json('FP16', Uint16Array.of(0)), /Please use the binary data format/);
});
