import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TensorDataType } from '../../../src/runtime/session.js';
import { elementsFromBytes } from '../../../src/serving/tensor-bytes.js';
import {
  bytesOfContents,
  type TensorContents,
} from '../../../src/transport/grpc/tensor-contents.js';

const EMPTY: TensorContents = {
  bool_contents: [],
  int_contents: [],
  int64_contents: [],
  uint_contents: [],
  uint64_contents: [],
  fp32_contents: [],
  fp64_contents: [],
  bytes_contents: [],
};

const read = (datatype: TensorDataType, contents: Partial<TensorContents>) =>
  elementsFromBytes(datatype, bytesOfContents({ ...EMPTY, ...contents }, datatype, 'x', 'm'));

test('each datatype is read from its own field', () => {
  assert.deepEqual(read('BOOL', { bool_contents: [true, false] }), Uint8Array.of(1, 0));
  assert.deepEqual(read('INT16', { int_contents: [-2, 7] }), Int16Array.of(-2, 7));
  assert.deepEqual(read('UINT32', { uint_contents: [4294967295] }), Uint32Array.of(4294967295));
  assert.deepEqual(
    read('INT64', { int64_contents: ['-9223372036854775808'] }),
    BigInt64Array.of(-(2n ** 63n)),
  );
  assert.deepEqual(
    read('UINT64', { uint64_contents: ['18446744073709551615'] }),
    BigUint64Array.of(2n ** 64n - 1n),
  );
  assert.deepEqual(read('FP32', { fp32_contents: [1.5] }), Float32Array.of(1.5));
  assert.deepEqual(read('FP64', { fp64_contents: [0.1] }), Float64Array.of(0.1));
  assert.deepEqual(
    read('BYTES', { bytes_contents: [Buffer.from('ab')] }),
    Uint8Array.of(2, 0, 0, 0, 97, 98),
  );
});

test('integers keep their low bytes', () => {
  assert.deepEqual(read('INT8', { int_contents: [300] }), Int8Array.of(44));
  assert.deepEqual(read('UINT8', { uint_contents: [257] }), Uint8Array.of(1));
});

test('a field of another datatype, or a datatype without a field, is refused', () => {
  for (const [datatype, field] of [
    ['FP32', 'int_contents'],
    ['FP16', 'fp32_contents'],
    ['constructor', 'int_contents'],
  ]) {
    assert.throws(() => bytesOfContents({ ...EMPTY, [field]: [1] }, datatype, 'x', 'm'), {
      code: 'INVALID_ARGUMENT',
      message:
        `unexpected explicit tensor data for input tensor 'x' for model 'm' of type '${field}', ` +
        `expected datatype '${datatype}'`,
    });
  }
});
