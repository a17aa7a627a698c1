import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  packCodes,
  packedByteLength,
  unpackCodes,
  weightCodeCount,
} from '../../src/lcq/bit-packing.js';
import { bits, seeded } from './arbitraries.js';

const refusal = (message: RegExp) => ({ name: 'LcqError', code: 'INVALID_ARGUMENT', message });

describe('packed weights', () => {
  test('are unpacked to the codes that went in', () => {
    const input = bits.chain((b) =>
      fc.tuple(fc.constant(b), fc.array(fc.nat(weightCodeCount(b) - 1), { maxLength: 70 })),
    );
    fc.assert(
      fc.property(input, ([b, codes]) => {
        const packed = packCodes(codes, b);
        assert.equal(packed.length, packedByteLength(codes.length, b));
        assert.deepEqual([...unpackCodes(packed, codes.length, b)], codes);
      }),
      seeded,
    );
  });

  test('follow the stream of the operator contract', () => {
    // Written out by hand: code i at the bits i*b and up, lowest bit first.
    assert.deepEqual([...packCodes([1, 2, 0, 2, 1], 2)], [0b10_00_10_01, 0b01]);
    assert.deepEqual([...packCodes([6, 1, 5, 2], 3)], [0b01_001_110, 0b010_1]);
    assert.deepEqual([...packCodes([14, 1, 7], 4)], [0x1e, 0x07]);
    assert.deepEqual([...packCodes([0, 254], 8)], [0, 254]);
  });

  test('refuse a code that stands for no level', () => {
    for (const code of [3, -1, 0.5, Number.NaN])
      assert.throws(() => packCodes([0, code], 2), refusal(/weight code 1/));
    assert.throws(() => unpackCodes(Uint8Array.of(0b11), 1, 2), refusal(/packed weight 0/));
    assert.throws(() => unpackCodes(Uint8Array.of(0, 255), 2, 8), refusal(/packed weight 1/));
  });

  test('refuse a wrong length and spare bits that are set', () => {
    assert.throws(() => unpackCodes(new Uint8Array(2), 4, 2), refusal(/take 1 bytes, found 2/));
    assert.throws(() => unpackCodes(new Uint8Array(0), 4, 2), refusal(/take 1 bytes, found 0/));
    assert.throws(() => unpackCodes(Uint8Array.of(0b0100_0000), 3, 2), refusal(/spare bits/));
  });
});
