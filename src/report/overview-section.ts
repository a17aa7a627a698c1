import type { LayerSummary } from '../quantization/summary.js';
import { type BarSeries, barChart } from './bar-chart.js';
import { count, decibels, NOTHING } from './figures.js';
import { type Cell, escaped, htmlTable } from './html.js';
import type { LayerReport } from './layer-report.js';
import { layerId } from './layer-section.js';
import { COLOURS, svgChart } from './svg-chart.js';

/** Nothing that is told apart lies above, and exact is infinite. */
const HIGHEST_SQNR = 60;

/** All layers at a glance: their SQNR as bars, their bits and bytes in a table. */
export function overviewSection(
  layers: readonly LayerReport[],
  summaries: readonly LayerSummary[],
): string {
  const hasSqnr = layers.some(({ weights }) => weights.sqnr !== undefined);
  return `<section aria-labelledby="layers">
<h2 id="layers">Layers</h2>
${hasSqnr ? sqnrFigure(layers) : '<p>Without a full-precision baseline there is nothing to measure noise against.</p>'}
${layerTable(layers, summaries)}
</section>`;
}

function sqnrFigure(layers: readonly LayerReport[]): string {
  const weakest = [
    told('weights', layers, ({ weights }) => weights.sqnr),
    told('output', layers, ({ outputSqnr }) => outputSqnr),
  ].filter((sentence) => sentence !== undefined);
  const hasOutputs = weakest.length > 1;
  const key = hasOutputs
    ? '<span class="key curve">output, with the noise of all layers before</span>'
    : '';
  return `<p>Signal to quantization noise: the longer a bar, the nearer is the layer to full precision; 6 dB more are half
the error. ${weakest.map(escaped).join(' ')}</p>
<figure>
<div class="split">
${sqnrCharts(layers, hasOutputs)}
</div>
<figcaption><span class="key levels">weights</span>${key}</figcaption>
</figure>`;
}

/** Two charts of one scale, side by side where there is room. */
function sqnrCharts(layers: readonly LayerReport[], hasOutputs: boolean): string {
  const all = layers.flatMap(({ weights, outputSqnr }) => [weights.sqnr ?? 0, outputSqnr ?? 0]);
  const end = Math.min(HIGHEST_SQNR, 10 * Math.max(1, Math.ceil(Math.max(...all) / 10)));
  const half = Math.ceil(layers.length / 2);
  const parts = [layers.slice(0, half), layers.slice(half)].filter(({ length }) => length > 0);
  const charts = parts.map((part) => {
    const names = part.map(({ name }) => name);
    const series: BarSeries[] = [
      { color: COLOURS.levels, values: part.map(({ weights }) => weights.sqnr) },
    ];
    if (hasOutputs) {
      series.push({ color: COLOURS.curve, values: part.map(({ outputSqnr }) => outputSqnr) });
    }
    const label = `SQNR in dB of the layers from ${names[0]} to ${names.at(-1)}, as in the table`;
    return svgChart(barChart(label, 'dB', names, series, end));
  });
  return charts.join('\n');
}

function told(
  side: string,
  layers: readonly LayerReport[],
  sqnr: (layer: LayerReport) => number | undefined,
): string | undefined {
  const known = layers.filter((layer) => sqnr(layer) !== undefined);
  if (known.length === 0) return undefined;
  const least = known.reduce((a, b) => ((sqnr(b) as number) < (sqnr(a) as number) ? b : a));
  return `Weakest ${side}: ${least.name}, ${decibels(sqnr(least))}.`;
}

function layerTable(layers: readonly LayerReport[], summaries: readonly LayerSummary[]): string {
  // Both are in the order of the graph; names need not differ.
  const quantized = summaries.filter(({ weightLevels }) => weightLevels);
  const rows = summaries.map((summary): Cell[] => {
    const { name, op, bits, weights, bytes } = summary;
    const index = quantized.indexOf(summary);
    const layer = index < 0 ? undefined : layers[index];
    return [
      layer
        ? { html: `<a href="#${layerId(index)}">${escaped(name)}</a>` }
        : `${name} (full precision)`,
      op,
      String(bits),
      layer ? String(layer.inputBits) : NOTHING,
      count(weights),
      count(bytes),
      decibels(layer?.weights.sqnr),
      decibels(layer?.outputSqnr),
    ];
  });
  const titles = ['layer', 'operator', 'weight bits', 'input bits', 'weights', 'bytes'];
  const columns = [...titles, 'SQNR of weights', 'SQNR of output'];
  return htmlTable(
    'Layers with weights, in the order of the graph',
    columns.map((title, i) => ({ title, isFigure: i > 1 })),
    rows,
  );
}
