import type { ModelSummary } from '../quantization/summary.js';
import { count } from './figures.js';
import { escaped, htmlFacts, htmlTable } from './html.js';

/** A model and its file. */
export interface ModelFacts {
  readonly name: string;
  readonly summary: ModelSummary;
  readonly fileBytes: number;
}

export function headSection({ name, summary, fileBytes }: ModelFacts, full?: ModelFacts): string {
  const { layers, totals, opsets, producer } = summary;
  const sets = Object.entries(opsets).map(([domain, v]) => `${domain || 'ONNX'} ${v}`);
  const compared = full ? `, compared with <span class="name">${escaped(full.name)}</span>` : '';
  const facts: [string, string][] = [
    ['Layers with weights', count(layers.length)],
    ['Weights', count(totals.weights)],
    ['Bits a weight', totals.bitsPerWeight.toFixed(2)],
    ['Bytes of weights', count(totals.bytes)],
    ['Compression of weights', `${totals.compression.toFixed(2)}×`],
    ['Bytes of the file', count(fileBytes)],
  ];
  if (full) {
    facts.push(['Compression of the file', `${(full.fileBytes / fileBytes).toFixed(2)}×`]);
  }
  return `<header>
<h1>${escaped(name)}</h1>
<p class="muted">Operator sets ${escaped(sets.join(', '))}; written by ${escaped(producer || 'an unknown program')}${compared}</p>
${htmlFacts(facts)}
${widthTable(summary)}
</header>`;
}

/** Layers by the width of their weights. */
function widthTable({ layers, totals }: ModelSummary): string {
  const widths = [...new Set(layers.map(({ bits }) => bits))].sort((a, b) => a - b);
  const rows = widths.map((bits) => {
    const members = layers.filter((layer) => layer.bits === bits);
    const weights = members.reduce((sum, layer) => sum + layer.weights, 0);
    const bytes = members.reduce((sum, layer) => sum + layer.bytes, 0);
    return [`${bits} bits`, members.length, weights, bytes, (4 * weights) / bytes] as const;
  });
  const cells = rows.map(([name, members, weights, bytes, times]) => [
    name,
    ...[members, weights, bytes].map(count),
    `${times.toFixed(2)}×`,
  ]);
  cells.push(['other constants', '', '', count(totals.otherBytes), '']);
  const titles = ['weights of', 'layers', 'weights', 'bytes', 'against fp32'];
  const columns = titles.map((title, i) => ({ title, isFigure: i > 0 }));
  return htmlTable('Where the bytes are', columns, cells);
}
