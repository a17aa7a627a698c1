import { type Compander, compander } from '../lcq/compander.js';
import type { Model } from '../onnx/graph.js';
import type { TrainedQuantizer } from '../runtime/session.js';
import type { Baseline } from './baseline.js';
import { ChannelErrors } from './channel-errors.js';
import { type Histogram, histogram } from './histogram.js';
import { layerValues } from './observe-network.js';
import type { ObservedValue } from './observed-value.js';
import { type Levels, NamedQuantizers, type QuantizedLayer } from './quantized-layer.js';

/** How the weights of a layer, or what it reads, are quantized. All is in units of the clip: its levels end at 1. */
export interface TensorReport {
  readonly isSigned: boolean;
  /** Ascending, by code. */
  readonly levels: readonly number[];
  /** The share of each code, where codes were counted. */
  readonly occupancy?: readonly number[];
  /** Whether the levels are those of a uniform quantizer, but for their rounding to integers. */
  readonly isUniform: boolean;
  /** Absent for most uniform quantizers, and where the file does not tell. */
  readonly compander?: Compander;
  /** The real value of the clip, where there is one for all channels and the file tells it. */
  readonly clip?: number;
  /** Of the full-precision values. */
  readonly fullPrecision?: Histogram;
  /** Against the full-precision values, in dB. */
  readonly sqnr?: number | undefined;
}

export interface LayerReport {
  readonly name: string;
  readonly op: string;
  readonly bits: number;
  readonly inputBits: number;
  readonly weightShape: readonly number[];
  readonly weights: TensorReport;
  /** Absent for pixels, which are bytes as they come. */
  readonly input?: TensorReport;
  /** Of what the layer makes, as the next one reads it; in dB. */
  readonly outputSqnr?: number | undefined;
}

/** So much of the axis lies beyond the clip. */
const MARGIN = 1.2;

export function layerReports(
  model: Model,
  layers: readonly QuantizedLayer[],
  baseline: Baseline | undefined,
  observed: ReadonlyMap<string, ObservedValue>,
): LayerReport[] {
  const quantizers = new NamedQuantizers(model);
  const pixels = new Set(model.graph.inputs.map(({ name }) => name));
  return layers.map((layer) => {
    const { node, bits, weightShape, inputLevels } = layer;
    const { input, output } = layerValues(model, layer);
    const quantizer = quantizers.find([input], inputLevels);
    return {
      name: node.name,
      op: node.opType,
      bits,
      inputBits: Math.max(1, Math.ceil(Math.log2(inputLevels.values.length))),
      weightShape,
      weights: weightReport(layer, quantizers, baseline),
      ...(!pixels.has(input) && {
        input: inputReport(inputLevels, quantizer, observed.get(input)),
      }),
      outputSqnr: observed.get(output)?.errors?.sqnr(),
    };
  });
}

/** @throws LcqError INVALID_ARGUMENT as quantizerGrid does */
function weightReport(
  layer: QuantizedLayer,
  quantizers: NamedQuantizers,
  baseline: Baseline | undefined,
): TensorReport {
  const { node, weightShape, weightCodes, weightLevels } = layer;
  const source = baseline?.layer(layer);
  // Files of older exporters name a quantizer of weights as what it reads.
  const names = source ? baseline?.namesOfWeights(source) : undefined;
  const quantizer = quantizers.find(
    [node.inputs[1], ...(names ?? []).map((name) => `${name}.quantized`)],
    weightLevels,
  );
  const counts = new Float64Array(weightLevels.values.length);
  for (const code of weightCodes) counts[code]++;
  // Weight clips are in units of a scale that is folded into thresholds: their values mean nothing.
  const { clip: _, ...report } = tensorReport(weightLevels, quantizer, counts);
  if (!baseline || !source) return report;
  const weights = baseline.weights(source);
  const perChannel = weights.length / weightShape[0];
  const errors = new ChannelErrors(weightShape[0], true);
  weights.forEach((weight, i) => {
    errors.add(Math.floor(i / perChannel), weight, weightLevels.values[weightCodes[i]]);
  });
  const clips = errors.scales().map((scale) => scale * greatest(weightLevels));
  const values = weights.map((weight, i) => inUnits(weight, clips[Math.floor(i / perChannel)]));
  return {
    ...report,
    fullPrecision: histogram(values, -MARGIN, MARGIN),
    sqnr: errors.sqnr(),
  };
}

function inputReport(
  levels: Levels,
  quantizer: TrainedQuantizer | undefined,
  observed: ObservedValue | undefined,
): TensorReport {
  const report = tensorReport(levels, quantizer, observed?.codeCounts);
  if (!observed?.errors) return report;
  const scales = observed.errors.scales();
  const isOneScale = scales.every((scale) => scale === scales[0]);
  const clipOf = (channel: number) =>
    quantizer && isOneScale ? quantizer.alpha : scales[channel] * greatest(levels);
  const values = observed.sample.map(({ x, channel }) => inUnits(x, clipOf(channel)));
  return {
    ...report,
    fullPrecision: histogram(values, levels.isSigned ? -MARGIN : 0, MARGIN),
    sqnr: observed.errors.sqnr(),
  };
}

function tensorReport(
  levels: Levels,
  quantizer: TrainedQuantizer | undefined,
  counts: Float64Array | undefined,
): TensorReport {
  const total = counts?.reduce((a, b) => a + b, 0) ?? 0;
  return {
    isSigned: levels.isSigned,
    levels: levels.values.map((level) => level / greatest(levels)),
    isUniform: isUniform(levels),
    ...(counts && total > 0 && { occupancy: Array.from(counts, (count) => count / total) }),
    ...(quantizer && { compander: compander(quantizer.theta), clip: quantizer.alpha }),
  };
}

/** Of a layer of zeros 1, so that its levels stay numbers. */
const greatest = ({ values }: Levels): number => Math.max(...values.map(Math.abs)) || 1;

function isUniform(levels: Levels): boolean {
  const { values, isSigned } = levels;
  const upper = isSigned ? values.slice(values.length >> 1) : values;
  const step = greatest(levels) / Math.max(1, upper.length - 1);
  return upper.every((level, code) => Math.abs(level - code * step) <= 0.5);
}

/** A channel that is zero throughout the quantized network has no clip to measure in. */
const inUnits = (value: number, clip: number): number => (clip > 0 ? value / clip : Number.NaN);
