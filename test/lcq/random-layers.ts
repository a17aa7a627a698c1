import { packCodes, type WeightBits, weightCodeCount } from '../../src/lcq/bit-packing.js';
import {
  convolvedSize,
  type LcqConvAttributes,
  type QuantizedOperands,
  type ResidualAttributes,
  type Stream,
  type StreamAttributes,
  type StreamOperands,
} from '../../src/lcq/reference-ops.js';

/** An integer in [low, high], both included. */
export type RandomInteger = (low: number, high: number) => number;

/** Reproducible random integers (the mulberry32 generator). */
export function randomIntegers(seed: number): RandomInteger {
  let state = seed;
  return (low, high) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return low + Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * (high - low + 1));
  };
}

export interface ConvLayer {
  readonly attributes: LcqConvAttributes & StreamAttributes & ResidualAttributes;
  readonly operands: StreamOperands & { readonly thresholds: Int32Array; readonly r: Stream };
}

/** What a test may fix of a layer; the rest is drawn. */
export interface ConvChoice {
  readonly weightBits: WeightBits;
  readonly batch?: number;
  readonly size?: readonly [number, number];
  readonly kernel?: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly group?: number;
  /** Channels of one group. */
  readonly depth?: number;
  readonly channelsPerGroup?: number;
  readonly inputLevelCount?: number;
  readonly inputZeroPoint?: number;
  readonly residualStride?: number;
  readonly residualOffset?: number;
  readonly residualChannels?: number;
  readonly outputMin?: number;
  /** Inputs and weights at the greatest magnitude instead of random ones. */
  readonly extreme?: boolean;
  /** The greatest levels of inputs and weights, the others evenly below; left out, levels are random. */
  readonly caps?: readonly [inputs: number, weights: number];
}

/** Operands of a convolution by any of the three conv ops: thresholds are placed where the accumulators fall. */
export function randomConvLayer(choice: ConvChoice, next: RandomInteger): ConvLayer {
  const { weightBits, group = 1, depth = next(1, 9), batch = next(1, 2) } = choice;
  const [height, width] = choice.size ?? [next(5, 9), next(5, 9)];
  const kernel = choice.kernel ?? [3, 3];
  const channels = group * (choice.channelsPerGroup ?? next(1, 9));
  const attributes = {
    weightShape: [channels, ...kernel, depth],
    weightBits,
    strides: choice.strides ?? [1, 1],
    pads: choice.pads ?? [1, 1, 1, 1],
    dilations: choice.dilations ?? [1, 1],
    group,
    inputZeroPoint: choice.inputZeroPoint ?? 0,
    outputMin: choice.outputMin ?? 0,
    residualStride: choice.residualStride ?? 1,
    residualOffset: choice.residualOffset ?? 0,
  };
  const quantized = randomOperands(
    {
      shape: [batch, height, width, group * depth],
      weights: channels * kernel[0] * kernel[1] * depth,
      weightBits,
    },
    choice,
    next,
  );
  const spread = Math.ceil(Math.sqrt(kernel[0] * kernel[1] * depth)) * 2000;
  const thresholds = Array.from({ length: channels }, () =>
    ascending(next(1, 15), 3, spread, next),
  ).flat();
  const outputSize = [height, width].map((size, axis) =>
    convolvedSize(
      size,
      kernel[axis],
      attributes.strides[axis],
      attributes.dilations[axis],
      attributes.pads[axis] + attributes.pads[axis + 2],
    ),
  );
  const residualSize = outputSize.map(
    (size) => (size - 1) * attributes.residualStride + next(1, attributes.residualStride),
  );
  const residualChannels = choice.residualChannels ?? channels - attributes.residualOffset;
  const residualShape = [batch, ...residualSize, residualChannels];
  return {
    attributes,
    operands: {
      ...quantized,
      thresholds: Int32Array.from(thresholds),
      scale: Float32Array.from({ length: channels }, () => next(-1000, 1000) / 997),
      bias: Float32Array.from({ length: channels }, () => next(-100_000, 100_000) / 31),
      streamThresholds: Int32Array.from(ascending(3, 3, 20_000, next)),
      r: {
        shape: residualShape,
        data: Int16Array.from({ length: residualShape.reduce((a, b) => a * b) }, () =>
          next(-32768, 32767),
        ),
      },
    },
  };
}

interface OperandSizes {
  /** Of the input codes. */
  readonly shape: readonly number[];
  /** How many weights. */
  readonly weights: number;
  readonly weightBits: WeightBits;
}

/** Random codes of inputs and weights, with random levels of both. */
export function randomOperands(
  { shape, weights, weightBits }: OperandSizes,
  choice: Pick<ConvChoice, 'inputLevelCount' | 'inputZeroPoint' | 'extreme' | 'caps'>,
  next: RandomInteger,
): QuantizedOperands {
  const raw = choice.inputZeroPoint !== undefined && choice.inputZeroPoint > 0;
  const levelCount = choice.inputLevelCount ?? (raw ? 256 : 4);
  const codeCount = weightCodeCount(weightBits);
  const inputs = shape.reduce((a, b) => a * b);
  const zeroOrGreatest = () => (next(0, 1) === 0 ? 0 : codeCount - 1);
  return {
    x: {
      shape,
      data: Uint8Array.from({ length: inputs }, () =>
        choice.extreme ? levelCount - 1 : next(0, levelCount - 1),
      ),
    },
    w: packCodes(
      Array.from({ length: weights }, () =>
        choice.extreme ? zeroOrGreatest() : next(0, codeCount - 1),
      ),
      weightBits,
    ),
    weightLevels: choice.caps
      ? Int8Array.from(
          evenLevels(codeCount, 2 * choice.caps[1]),
          (v) => v - (choice.caps?.[1] ?? 0),
        )
      : weightLevels(codeCount, choice.extreme === true, next),
    inputLevels:
      raw || choice.extreme || choice.caps
        ? Uint8Array.from(evenLevels(levelCount, choice.caps?.[0] ?? 255))
        : Uint8Array.from({ length: levelCount }, (_, code) =>
            Math.min(255, code * 63 + next(0, 3)),
          ),
  };
}

function evenLevels(count: number, greatest: number): number[] {
  return Array.from({ length: count }, (_, code) => Math.round((code * greatest) / (count - 1)));
}

/** Antisymmetric, ascending, within s8. */
function weightLevels(count: number, extreme: boolean, next: RandomInteger): Int8Array {
  const s = (count - 1) / 2;
  const step = Math.floor(127 / s);
  const levels = new Int8Array(count);
  for (let q = 1; q <= s; q++) {
    levels[s + q] = extreme && q === s ? 127 : q * step - next(0, step - 1);
    levels[s - q] = -levels[s + q];
  }
  return levels;
}

/** `count` ascending integers around `start` within +-spread; ties allowed. */
function ascending(start: number, count: number, spread: number, next: RandomInteger): number[] {
  return Array.from({ length: count }, () => start + next(-spread, spread)).sort((a, b) => a - b);
}
