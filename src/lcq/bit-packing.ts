import { LcqError } from '../errors.js';

/** Bit widths of packed weight codes (docs/op-spec.md, "Packed weights"). */
export type WeightBits = 2 | 3 | 4 | 8;

export function isWeightBits(bits: number): bits is WeightBits {
  return bits === 2 || bits === 3 || bits === 4 || bits === 8;
}

/** The number of codes of signed b-bit weights, 2s + 1 with s = 2^(b-1) - 1: the greatest code stays unused. */
export function weightCodeCount(bits: WeightBits): number {
  return 2 ** bits - 1;
}

/** Bytes that `count` codes of `bits` bits occupy. */
export function packedByteLength(count: number, bits: WeightBits): number {
  return Math.ceil((count * bits) / 8);
}

/**
 * Packs weight codes into one little-endian bit stream: code i occupies the bits i*b .. i*b+b-1, bit n of the stream
 * is bit n mod 8 of byte n div 8, spare bits at the end are zero (docs/op-spec.md).
 *
 * @param codes integers in [0, 2^b - 2]
 * @throws LcqError INVALID_ARGUMENT for any other value
 */
export function packCodes(codes: ArrayLike<number>, bits: WeightBits): Uint8Array {
  const packed = new Uint8Array(packedByteLength(codes.length, bits));
  const codeCount = weightCodeCount(bits);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (!(Number.isInteger(code) && code >= 0 && code < codeCount)) {
      throw new LcqError(
        'INVALID_ARGUMENT',
        `weight code ${i} is ${code}, not in [0, ${codeCount - 1}]`,
      );
    }
    const byte = (i * bits) >>> 3;
    const shifted = code << ((i * bits) & 7);
    packed[byte] |= shifted;
    // A code crosses at most one byte border; past the last byte there is nothing left to write.
    if (shifted > 0xff) packed[byte + 1] |= shifted >>> 8;
  }
  return packed;
}

/**
 * The inverse of packCodes.
 *
 * @param packed exactly packedByteLength(count, bits) bytes
 * @returns `count` codes in [0, 2^b - 2]
 * @throws LcqError INVALID_ARGUMENT for a wrong length, an unused code or a spare bit that is set
 */
export function unpackCodes(packed: Uint8Array, count: number, bits: WeightBits): Uint8Array {
  const byteLength = packedByteLength(count, bits);
  if (packed.length !== byteLength) {
    throw new LcqError(
      'INVALID_ARGUMENT',
      `${count} weights of ${bits} bits take ${byteLength} bytes, found ${packed.length}`,
    );
  }
  const codes = new Uint8Array(count);
  const unused = weightCodeCount(bits);
  for (let i = 0; i < count; i++) {
    const byte = (i * bits) >>> 3;
    const window = packed[byte] | ((packed[byte + 1] ?? 0) << 8);
    const code = (window >>> ((i * bits) & 7)) & unused;
    if (code === unused) {
      throw new LcqError(
        'INVALID_ARGUMENT',
        `packed weight ${i} is ${code}, which stands for no level`,
      );
    }
    codes[i] = code;
  }
  const usedBits = (count * bits) & 7;
  if (usedBits !== 0 && packed[byteLength - 1] >>> usedBits !== 0) {
    throw new LcqError(
      'INVALID_ARGUMENT',
      'the spare bits after the last packed weight are not zero',
    );
  }
  return codes;
}
