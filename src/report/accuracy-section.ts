import { agreement, type ClassificationResult } from '../evaluation/classification.js';
import { barChart } from './bar-chart.js';
import { count, percent, points } from './figures.js';
import { type Cell, htmlFacts, htmlTable } from './html.js';
import { COLOURS, svgChart } from './svg-chart.js';

/** What a model said of one picture. */
export interface Answer {
  readonly label: string;
  readonly score: number;
}

/** What a model said of all pictures, in their order. */
export interface Answers {
  readonly result: ClassificationResult;
  readonly best: readonly Answer[];
}

export interface Comparison {
  readonly quantized: Answers;
  readonly fullPrecision?: Answers | undefined;
}

/** Classes with the largest changes; all of a thousand would be no reading. */
const MOST_CLASSES = 20;

export function accuracySection({ quantized, fullPrecision }: Comparison): string {
  const { result } = quantized;
  const facts: [string, string][] = [['Pictures', count(result.count)]];
  const shares = (name: string, { top1, top5 }: ClassificationResult): [string, string][] => [
    [`Top-1, ${name}`, percent(top1, 2)],
    [`Top-5, ${name}`, percent(top5, 2)],
  ];
  if (fullPrecision) facts.push(...shares('fp32', fullPrecision.result));
  facts.push(...shares('LCQ', result));
  if (fullPrecision) {
    facts.push(['Same answer', percent(agreement(fullPrecision.result, result), 2)]);
  }
  return `<section aria-labelledby="accuracy">
<h2 id="accuracy">Accuracy</h2>
${htmlFacts(facts)}
<div class="split">
${classes(result, fullPrecision?.result)}
</div>
</section>`;
}

/** Classes as a table, and as bars beside it. */
function classes(quantized: ClassificationResult, full: ClassificationResult | undefined) {
  const fullOf = new Map(full?.classes.map(({ label, top1 }) => [label, top1]));
  const rows = quantized.classes.map((row) => {
    const before = fullOf.get(row.label);
    return { ...row, before, change: before === undefined ? row.top1 : row.top1 - before };
  });
  rows.sort((a, b) => a.change - b.change);
  const shown = rows.slice(0, MOST_CLASSES);
  const columns = ['class', 'pictures', 'fp32', 'LCQ', 'change in points']
    .filter((_, i) => full || (i !== 2 && i !== 4))
    .map((title, i) => ({ title, isFigure: i > 0 }));
  const cells = shown.map(({ label, count: pictures, top1, before, change }): Cell[] =>
    before === undefined
      ? [label, count(pictures), percent(top1)]
      : [label, count(pictures), percent(before), percent(top1), changeCell(change)],
  );
  const order = full ? 'the largest loss first' : 'the lowest first';
  const all = rows.length === shown.length ? '' : ` (${shown.length} of ${rows.length} classes)`;
  const series = [
    ...(full
      ? [{ color: COLOURS.muted, values: shown.map(({ before = 0 }) => 100 * before) }]
      : []),
    { color: COLOURS.levels, values: shown.map(({ top1 }) => 100 * top1) },
  ];
  const names = shown.map(({ label }) => label);
  const key = full ? '<span class="key muted">fp32</span>' : '';
  const chart = barChart('Top-1 by class, as in the table', '%', names, series, 100);
  return `${htmlTable(`Top-1 by class, ${order}${all}`, columns, cells)}
<figure>
${svgChart(chart)}
<figcaption>${key}<span class="key levels">LCQ</span></figcaption>
</figure>`;
}

function changeCell(change: number): Cell {
  const kind = change < 0 ? 'loss' : 'gain';
  return { html: `<span class="${kind}">${points(change)}</span>` };
}
