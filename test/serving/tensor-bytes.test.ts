import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bytesOfElements,
  decodeByteStrings,
  elementsFromBytes,
  encodeByteStrings,
} from '../../src/serving/tensor-bytes.js';

test('elements are little-endian, wherever in memory their bytes begin', () => {
  const bytes = Uint8Array.of(9, 0, 0, 128, 63, 0, 0, 0, 192);
  const floats = elementsFromBytes('FP32', bytes.subarray(1));
  assert.deepEqual(floats, Float32Array.of(1, -2));
  assert.deepEqual(bytesOfElements({ data: floats }), Uint8Array.from(bytes.subarray(1)));
  assert.deepEqual(elementsFromBytes('UINT16', Uint8Array.of(1, 2)), Uint16Array.of(513));
});

test('property: byte strings survive their encoding', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (strings) => {
      assert.deepEqual(decodeByteStrings(encodeByteStrings(strings)), strings);
    }),
    { seed: 20254, numRuns: 100 },
  );
});

test('a length beyond the data is refused', () => {
  for (const encoded of [[1], [0, 0, 0], [2, 0, 0, 0, 7], [255, 255, 255, 255]]) {
    assert.throws(() => decodeByteStrings(Uint8Array.from(encoded)), { code: 'INVALID_ARGUMENT' });
  }
});
