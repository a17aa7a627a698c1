import type { EChartsCoreOption } from 'echarts/core';
import { visible } from './html.js';
import { AXIS, type Chart, COLOURS } from './svg-chart.js';

export interface BarSeries {
  readonly color: string;
  /** One for each row; undefined where there is none. */
  readonly values: readonly (number | undefined)[];
}

const ROW = 26;
const MARGIN = { left: 152, right: 42, top: 8, bottom: 40 };
/** Longer names leave no room for bars. */
const LONGEST = 22;

/** Named rows with a bar of each series, the first row on top. The axis ends at `end`, and longer bars with it. */
export function barChart(
  label: string,
  unit: string,
  names: readonly string[],
  series: readonly BarSeries[],
  end: number,
): Chart {
  const option: EChartsCoreOption = {
    grid: MARGIN,
    xAxis: {
      ...AXIS,
      type: 'value',
      min: 0,
      max: end,
      name: unit,
      nameLocation: 'middle',
      nameGap: 24,
      splitLine: { show: true, lineStyle: { color: COLOURS.line } },
    },
    yAxis: {
      ...AXIS,
      type: 'category',
      inverse: true,
      data: names.map((name) => shortened(visible(name))),
      axisTick: { show: false },
      axisLabel: { color: COLOURS.text, interval: 0 },
    },
    series: series.map((one) => bars(one, end)),
  };
  const height = MARGIN.top + MARGIN.bottom + names.length * ROW;
  return { label, width: 460, height, option };
}

function bars({ color, values }: BarSeries, end: number) {
  return {
    type: 'bar',
    silent: true,
    data: values.map((value) => (value === undefined ? '-' : Math.min(value, end))),
    barWidth: 8,
    barGap: '20%',
    itemStyle: { color, borderRadius: [0, 2, 2, 0] },
    label: {
      show: true,
      position: 'right',
      fontSize: 10,
      color: COLOURS.muted,
      formatter: ({ value }: { value: unknown }) =>
        typeof value === 'number' ? value.toFixed(1) : '',
    },
  };
}

/** The end of a name tells layers apart. */
const shortened = (name: string): string =>
  name.length <= LONGEST ? name : `…${name.slice(1 - LONGEST)}`;
