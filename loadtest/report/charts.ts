import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { CURVE } from '../summary.js';
import type { RunReport } from './run-report.js';

use([LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

export const CHART_SIZE = { width: 900, height: 320 };

type Points = readonly (readonly [number | string, number])[];

interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: Readonly<Record<string, Points>>;
  /** What the x axis is: numbers, or names in their order. */
  readonly xType?: 'value' | 'category';
  /** Latencies span decades. */
  readonly yType?: 'value' | 'log';
  readonly isScatter?: boolean;
}

/** The charts of a run, as SVG. */
export function chartsOf(report: RunReport): string[] {
  const charts = [rates(report), latencies(report), curves(report), memory(report), trials(report)];
  return charts.flatMap((chart) => (chart === undefined ? [] : draw(chart)));
}

function rates({ result: { intervals } }: RunReport): Chart {
  const codes = new Set(intervals.flatMap(({ others }) => Object.keys(others)));
  const lines: Record<string, Points> = {
    sent: intervals.map(({ at, sent }) => [at, sent]),
    'OK in time': intervals.map(({ at, good }) => [at, good]),
    'OK late': intervals.map(({ at, ok, good }) => [at, ok - good]),
  };
  for (const code of codes)
    lines[code] = intervals.map(({ at, others }) => [at, others[code] ?? 0]);
  return { title: 'Requests', x: 's', y: 'requests/s', lines };
}

function latencies({ result: { intervals } }: RunReport): Chart {
  const answered = intervals.filter(({ ok }) => ok > 0);
  const lines = {
    p99: answered.map(({ at, p99 }) => [at, p99] as const),
    p50: answered.map(({ at, p50 }) => [at, p50] as const),
  };
  return { title: 'Latency of OK replies', x: 's', y: 'ms', lines, yType: 'log' };
}

function curves({ result: { streams } }: RunReport): Chart {
  const lines = Object.fromEntries(
    streams.map(({ name, curve }) => [name, curve.map((ms, i) => [`p${CURVE[i]}`, ms] as const)]),
  );
  const title = 'Latency by percentile, from the scheduled time';
  return { title, x: '', y: 'ms', lines, xType: 'category', yType: 'log' };
}

function memory({ resources }: RunReport): Chart | undefined {
  if (resources === undefined) return undefined;
  const lines = { RSS: resources.samples.map(({ at, rss }) => [at, rss] as const) };
  return { title: 'Resident memory of the server', x: 's', y: 'MB', lines };
}

function trials({ search, scenario }: RunReport): Chart | undefined {
  if (search === undefined) return undefined;
  const sorted = [...search.trials].sort((a, b) => a.rate - b.rate);
  const lines = { p99: sorted.map(({ rate, p99 }) => [rate, p99] as const) };
  const title = `Search: p99 by rate, ${scenario.goodWithinMs} ms allowed`;
  return { title, x: 'requests/s', y: 'ms', lines, yType: 'log', isScatter: true };
}

function draw({ title, x, y, lines, xType = 'value', yType = 'value', isScatter }: Chart): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...CHART_SIZE });
  const option: EChartsCoreOption = {
    animation: false,
    backgroundColor: '#fff',
    textStyle: { fontFamily: 'DejaVu Sans, sans-serif' },
    title: { text: title, left: 16, top: 8, textStyle: { fontSize: 15 } },
    legend: { top: 10, right: 24 },
    grid: { left: 72, right: 48, top: 56, bottom: 40 },
    xAxis: { type: xType, name: x },
    yAxis: { type: yType, name: y, ...(yType === 'value' ? { min: 0 } : {}) },
    series: Object.entries(lines).map(([name, data]) => ({
      name,
      type: isScatter ? 'scatter' : 'line',
      showSymbol: xType === 'category',
      data,
    })),
  };
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
