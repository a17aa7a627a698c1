import { LcqError } from '../errors.js';
import { unpackCodes, type WeightBits } from './bit-packing.js';
import { countReached } from './levels.js';

/**
 * The operators of docs/op-spec.md, written straight from it. Function bodies and kernels are held to these results:
 * integers equal, floats equal bit for bit. Sizes are taken to agree (onnx/verifier.ts checks them in model files).
 */

/** A dense row-major tensor; `data.length` is the product of `shape`. */
export interface NdArray<T> {
  readonly shape: readonly number[];
  readonly data: T;
}

/** Codes `uint8 [N,H,W,C]` (or [N,C]), one a byte. */
export type Codes = NdArray<Uint8Array>;
/** A stream `int16 [N,H,W,C]`. */
export type Stream = NdArray<Int16Array>;

export interface LcqConvAttributes {
  /** [M, KH, KW, C/group] */
  readonly weightShape: readonly number[];
  readonly weightBits: WeightBits;
  readonly strides: readonly number[];
  /** top, left, bottom, right */
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly group: number;
  readonly inputZeroPoint: number;
}

export interface StreamAttributes {
  /** 0 (ReLU) or -32768 (none). */
  readonly outputMin: number;
}

export interface ResidualAttributes {
  readonly residualStride: number;
  readonly residualOffset: number;
}

/** What every op with weights reads: packed weight codes and the integer levels of both sides. */
export interface QuantizedOperands {
  readonly x: Codes;
  readonly w: Uint8Array;
  readonly weightLevels: Int8Array;
  readonly inputLevels: Uint8Array;
}

export interface StreamOperands extends QuantizedOperands {
  /** f32 [M] */
  readonly scale: Float32Array;
  /** f32 [M] */
  readonly bias: Float32Array;
  /** i32 [S], ascending. */
  readonly streamThresholds: Int32Array;
}

const INT16_MIN = -32768;
const INT16_MAX = 32767;

/** LcqQuantize: reals `float32 [N,C,H,W]` in, codes `uint8 [N,H,W,C]` out. */
export function lcqQuantizeReals(x: NdArray<Float32Array>, thresholds: Float32Array): Codes {
  const [batch, channels, height, width] = x.shape;
  const area = height * width;
  const y = Uint8Array.from(x.data, (_, i) => {
    const [c, pixel] = [i % channels, Math.floor(i / channels)];
    const image = Math.floor(pixel / area) * channels + c;
    return countReached(thresholds, x.data[image * area + (pixel % area)]);
  });
  return { shape: [batch, height, width, channels], data: y };
}

/** LcqConv: codes in, codes out. `thresholds` is i32 [M, S], row m ascending. */
export function lcqConv(
  attributes: LcqConvAttributes,
  operands: QuantizedOperands & { readonly thresholds: Int32Array },
): Codes {
  const acc = integerConvolution(attributes, operands);
  const channels = attributes.weightShape[0];
  const count = operands.thresholds.length / channels;
  const rows = Array.from({ length: channels }, (_, m) =>
    operands.thresholds.subarray(m * count, (m + 1) * count),
  );
  const y = Uint8Array.from(acc.data, (value, i) => countReached(rows[i % channels], value));
  return { shape: acc.shape, data: y };
}

/** LcqConvStream: codes in, stream and its codes out. */
export function lcqConvStream(
  attributes: LcqConvAttributes & StreamAttributes,
  operands: StreamOperands,
): { s: Stream; y: Codes } {
  const p = scaledConvolution(attributes, operands);
  const s = Int16Array.from(p.data, (value) => Math.max(value, attributes.outputMin));
  return withCodes({ shape: p.shape, data: s }, operands.streamThresholds);
}

/** LcqConvAdd: LcqConvStream with the residual stream `r` added, sub-sampled and shifted in the channels. */
export function lcqConvAdd(
  attributes: LcqConvAttributes & StreamAttributes & ResidualAttributes,
  operands: StreamOperands & { readonly r: Stream },
): { s: Stream; y: Codes } {
  const p = scaledConvolution(attributes, operands);
  const [, height, width, channels] = p.shape;
  const [, residualHeight, residualWidth, residualChannels] = operands.r.shape;
  const { residualStride, residualOffset, outputMin } = attributes;
  const s = Int16Array.from(p.data, (value, i) => {
    const m = (i % channels) - residualOffset;
    const ow = Math.floor(i / channels) % width;
    const oh = Math.floor(i / (channels * width)) % height;
    const n = Math.floor(i / (channels * width * height));
    const row = (n * residualHeight + oh * residualStride) * residualWidth + ow * residualStride;
    const inside = m >= 0 && m < residualChannels;
    const residual = inside ? operands.r.data[row * residualChannels + m] : 0;
    return Math.max(clamp(value + residual, INT16_MIN, INT16_MAX), outputMin);
  });
  return withCodes({ shape: p.shape, data: s }, operands.streamThresholds);
}

/** LcqGlobalAveragePool: stream in, codes `uint8 [N,C]` out; `scale` has 1/(H*W) folded in. */
export function lcqGlobalAveragePool(attributes: { readonly scale: number }, s: Stream): Codes {
  const [batch, height, width, channels] = s.shape;
  const sums = new Int32Array(batch * channels);
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < height * width * channels; i++) {
      sums[n * channels + (i % channels)] += s.data[n * height * width * channels + i];
    }
  }
  const scale = Math.fround(attributes.scale);
  const y = Uint8Array.from(sums, (sum) =>
    roundHalfToEven(clamp(Math.fround(Math.fround(sum) * scale), 0, 255)),
  );
  return { shape: [batch, channels], data: y };
}

/** A window that slides over images; pads are top, left, bottom, right. */
export interface MaxPoolAttributes {
  readonly kernelShape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
}

/** LcqMaxPool (codes) and LcqMaxPoolStream: the greatest value of each window. */
export function lcqMaxPool<T extends Uint8Array | Int16Array>(
  { kernelShape, strides, pads }: MaxPoolAttributes,
  x: NdArray<T>,
): NdArray<T> {
  const [batch, height, width, channels] = x.shape;
  const [oh, ow] = [height, width].map((size, axis) =>
    convolvedSize(size, kernelShape[axis], strides[axis], 1, pads[axis] + pads[axis + 2]),
  );
  const length = batch * oh * ow * channels;
  const y = x.data instanceof Uint8Array ? new Uint8Array(length) : new Int16Array(length);
  for (let i = 0; i < y.length; i++) {
    const [c, pixel] = [i % channels, Math.floor(i / channels)];
    const [left, row] = [(pixel % ow) * strides[1] - pads[1], Math.floor(pixel / ow)];
    const [top, n] = [(row % oh) * strides[0] - pads[0], Math.floor(row / oh)];
    let greatest = INT16_MIN;
    for (let h = Math.max(top, 0); h < Math.min(top + kernelShape[0], height); h++) {
      for (let w = Math.max(left, 0); w < Math.min(left + kernelShape[1], width); w++) {
        greatest = Math.max(greatest, x.data[((n * height + h) * width + w) * channels + c]);
      }
    }
    y[i] = greatest;
  }
  return { shape: [batch, oh, ow, channels], data: y as T };
}

/** LcqGemm: codes `uint8 [N,K]` in, reals `float32 [N,M]` out. `weightShape` is [M, K]. */
export function lcqGemm(
  attributes: { readonly weightShape: readonly number[]; readonly weightBits: WeightBits },
  operands: QuantizedOperands & { readonly scale: Float32Array; readonly bias: Float32Array },
): NdArray<Float32Array> {
  const [outputs, depth] = attributes.weightShape;
  const [batch] = operands.x.shape;
  const weights = decodeWeights(operands, outputs * depth, attributes.weightBits);
  const inputs = decodeInputs(operands, 0);
  const y = new Float32Array(batch * outputs);
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < outputs; m++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += inputs[n * depth + k] * weights[m * depth + k];
      y[n * outputs + m] = affine(sum, operands.scale[m], operands.bias[m]);
    }
  }
  return { shape: [batch, outputs], data: y };
}

/** The integer convolution shared by the LcqConv ops: int32 accumulators [N,OH,OW,M]. */
export function integerConvolution(
  attributes: LcqConvAttributes,
  operands: QuantizedOperands,
): NdArray<Int32Array> {
  const { group, strides, pads, dilations } = attributes;
  const [channels, kernelHeight, kernelWidth, depth] = attributes.weightShape;
  const weights = decodeWeights(
    operands,
    channels * kernelHeight * kernelWidth * depth,
    attributes.weightBits,
  );
  const input = decodeInputs(operands, attributes.inputZeroPoint);
  const [batch, height, width, inputChannels] = operands.x.shape;
  const outputHeight = convolvedSize(
    height,
    kernelHeight,
    strides[0],
    dilations[0],
    pads[0] + pads[2],
  );
  const outputWidth = convolvedSize(
    width,
    kernelWidth,
    strides[1],
    dilations[1],
    pads[1] + pads[3],
  );
  const acc = new Int32Array(batch * outputHeight * outputWidth * channels);
  let o = 0;
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < outputHeight; oh++) {
      for (let ow = 0; ow < outputWidth; ow++) {
        for (let m = 0; m < channels; m++, o++) {
          const firstChannel = Math.floor(m / (channels / group)) * depth;
          let sum = 0;
          for (let kh = 0; kh < kernelHeight; kh++) {
            const h = oh * strides[0] + kh * dilations[0] - pads[0];
            if (h < 0 || h >= height) continue;
            for (let kw = 0; kw < kernelWidth; kw++) {
              const w = ow * strides[1] + kw * dilations[1] - pads[1];
              if (w < 0 || w >= width) continue;
              const x = ((n * height + h) * width + w) * inputChannels + firstChannel;
              const k = ((m * kernelHeight + kh) * kernelWidth + kw) * depth;
              for (let c = 0; c < depth; c++) sum += input[x + c] * weights[k + c];
            }
          }
          acc[o] = sum;
        }
      }
    }
  }
  return { shape: [batch, outputHeight, outputWidth, channels], data: acc };
}

/** The size of one axis after a convolution; `padding` is the sum of both sides. */
export function convolvedSize(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: number,
): number {
  return Math.floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** P = rne(clamp(fl(fl(fl(acc) * scale) + bias))), as integers in the range of int16. */
function scaledConvolution(
  attributes: LcqConvAttributes,
  operands: StreamOperands,
): NdArray<Int32Array> {
  const acc = integerConvolution(attributes, operands);
  const channels = attributes.weightShape[0];
  const data = acc.data.map((sum, i) => {
    const y = affine(sum, operands.scale[i % channels], operands.bias[i % channels]);
    return roundHalfToEven(clamp(y, INT16_MIN, INT16_MAX));
  });
  return { shape: acc.shape, data };
}

function withCodes(s: Stream, thresholds: Int32Array): { s: Stream; y: Codes } {
  const y = Uint8Array.from(s.data, (value) => countReached(thresholds, value));
  return { s, y: { shape: s.shape, data: y } };
}

/** Every weight's integer level, in packed order. */
function decodeWeights(operands: QuantizedOperands, count: number, bits: WeightBits): Int32Array {
  return Int32Array.from(
    unpackCodes(operands.w, count, bits),
    (code) => operands.weightLevels[code],
  );
}

/** Every input's integer level less the zero point. */
function decodeInputs({ x, inputLevels }: QuantizedOperands, zeroPoint: number): Int32Array {
  return Int32Array.from(x.data, (code, i) => {
    if (code >= inputLevels.length) {
      throw new LcqError(
        'INVALID_ARGUMENT',
        `input code ${i} is ${code}, beyond the ${inputLevels.length} levels`,
      );
    }
    return inputLevels[code] - zeroPoint;
  });
}

/** fl(fl(fl(value) * scale) + bias): binary32, never fused. */
function affine(value: number, scale: number, bias: number): number {
  return Math.fround(Math.fround(Math.fround(value) * scale) + bias);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** rne: to the nearest integer, halves to the even one. */
function roundHalfToEven(value: number): number {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}
