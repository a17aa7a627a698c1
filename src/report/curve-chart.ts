import type { EChartsCoreOption } from 'echarts/core';
import type { TensorReport } from './layer-report.js';
import { AXIS, type Chart, COLOURS } from './svg-chart.js';

type Point = readonly [x: number, y: number | null];

/** Up to so many levels each is drawn; more would be a surface. */
const FEW = 33;

/** Where a quantizer's levels lie, over how often its values occur: the compander's slope is the density of levels. */
export function curveChart(label: string, tensor: TensorReport): Chart {
  const { fullPrecision, isSigned } = tensor;
  const end = fullPrecision?.to ?? 1.05;
  const low = isSigned ? -1 : 0;
  const option: EChartsCoreOption = {
    grid: { left: 12, right: 34, top: 28, bottom: 38 },
    xAxis: {
      ...AXIS,
      type: 'value',
      min: low * end,
      max: end,
      // Every half of a clip, whatever lies beyond it.
      axisLabel: { ...AXIS.axisLabel, customValues: isSigned ? [-1, -0.5, 0, 0.5, 1] : HALVES },
      axisTick: { ...AXIS.axisTick, customValues: isSigned ? [-1, -0.5, 0, 0.5, 1] : HALVES },
      name: 'units of the clip',
      nameLocation: 'middle',
      nameGap: 22,
    },
    yAxis: [
      { type: 'value', min: 0, show: false },
      {
        ...AXIS,
        type: 'value',
        min: low,
        max: 1,
        interval: 1,
        position: 'right',
        name: 'code',
        nameGap: 12,
      },
    ],
    series: [occurrence(tensor), ...codes(tensor)],
  };
  return { label, width: 420, height: 250, option };
}

const HALVES = [0, 0.5, 1];

const still = { silent: true, emphasis: { disabled: true }, clip: false } as const;

function occurrence({ fullPrecision, occupancy, levels }: TensorReport) {
  if (fullPrecision) {
    const { from, to, bins } = fullPrecision;
    const width = (to - from) / bins.length;
    const data = bins.flatMap((share, i): Point[] => [
      [from + i * width, share],
      [from + (i + 1) * width, share],
    ]);
    return {
      ...still,
      z: 1,
      type: 'line',
      data,
      showSymbol: false,
      lineStyle: { width: 0 },
      areaStyle: { color: COLOURS.values, opacity: 1 },
    };
  }
  const data = stems(levels, (code) => occupancy?.[code] ?? 0, 0);
  const lineStyle = { color: COLOURS.values, width: levels.length > FEW ? 1.5 : 9 };
  return { ...still, z: 1, type: 'line', data, showSymbol: false, lineStyle };
}

/** Each level at its code, as a share of the largest code: on the compander, if there is one. */
function codes({ compander, levels, isSigned }: TensorReport) {
  const axis = { ...still, yAxisIndex: 1 };
  const middle = isSigned ? levels.length >> 1 : 0;
  const height = (code: number) => (code - middle) / Math.max(1, levels.length - 1 - middle);
  const series: object[] = [];
  if (levels.length <= FEW) {
    const lineStyle = { color: COLOURS.levels, width: 1 };
    const data = stems(levels, height, isSigned ? -1 : 0);
    series.push({ ...axis, type: 'line', data, showSymbol: false, lineStyle });
  }
  const knots = compander ? curve(compander.offsets, isSigned) : undefined;
  const lineStyle = { color: COLOURS.curve, width: 2.5 };
  // Without a compander the levels are all that is known.
  const data = knots ?? levels.map((level, code): Point => [level, height(code)]);
  const type = knots ? 'solid' : 'dotted';
  series.push({
    ...axis,
    type: 'line',
    data,
    showSymbol: false,
    lineStyle: { ...lineStyle, type },
  });
  if (levels.length <= FEW) {
    const points = levels.map((level, code): Point => [level, height(code)]);
    const itemStyle = { color: COLOURS.levels, opacity: 1 };
    series.push({ ...axis, z: 3, type: 'scatter', data: points, symbolSize: 7, itemStyle });
  }
  return series;
}

/** The compander's knots, mirrored for signed values. */
function curve(offsets: Float64Array, isSigned: boolean): Point[] {
  const upper = [...offsets, 1].map((y, k): Point => [k / offsets.length, y]);
  if (!isSigned) return upper;
  const lower = upper.slice(1).map(([x, y]): Point => [-x, -(y as number)]);
  return [...lower.reverse(), ...upper];
}

/** Lines from the ground up, with a gap behind each. */
function stems(at: readonly number[], height: (i: number) => number, ground: number): Point[] {
  return at.flatMap((x, i): Point[] => [
    [x, ground],
    [x, height(i)],
    [x, null],
  ]);
}
