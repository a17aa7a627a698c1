import type { EChartsCoreOption } from 'echarts/core';
import { init } from './echarts.js';
import { escaped } from './html.js';

export interface Chart {
  /** Says in words what is drawn, for those who do not see it. */
  readonly label: string;
  /** In CSS pixels; a page scales it. */
  readonly width: number;
  readonly height: number;
  readonly option: EChartsCoreOption;
}

/** Colours of the page's style, so that charts are light or dark as it is. */
export const COLOURS = {
  text: 'var(--text)',
  muted: 'var(--muted)',
  line: 'var(--line)',
  values: 'var(--values)',
  curve: 'var(--curve)',
  levels: 'var(--levels)',
} as const;

export const AXIS = {
  axisLine: { lineStyle: { color: COLOURS.line } },
  axisTick: { lineStyle: { color: COLOURS.line } },
  axisLabel: { color: COLOURS.muted },
  splitLine: { show: false },
  nameTextStyle: { color: COLOURS.muted },
} as const;

/** A chart as an SVG element of a page, of which only colours are left to the page. */
export function svgChart({ label, width, height, option }: Chart): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    const textStyle = { fontFamily: 'inherit', fontSize: 12 };
    chart.setOption({ animation: false, textStyle, ...option });
    // The renderer adds rules for the pointer, and counts its charts in their names: here nothing answers to it.
    return chart
      .renderToSVGString()
      .replace(/<style\b[\s\S]*?<\/style>\n?/g, '')
      .replace(
        / (class="zr[^"]*"|pointer-events="visible"|xml:space="preserve"|ecmeta_\w+="[^"]*")/g,
        '',
      )
      .replace(/^<svg [^>]*>/, () => svgTag(label, width, height));
  } finally {
    chart.dispose();
  }
}

const svgTag = (label: string, width: number, height: number): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">`;
