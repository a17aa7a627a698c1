import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { CHART_SIZE, chartsOf } from './charts.js';
import type { RunReport } from './run-report.js';
import { findingTable, outcomeTable, runTable, type Table } from './tables.js';

/** Writes `report.json`, `report.html` (whole in itself) and `report.png` (the charts) to a folder. */
export async function writeReport(report: RunReport, folder: string): Promise<void> {
  const charts = chartsOf(report);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(join(folder, 'report.html'), page(report, charts));
  await writeFile(join(folder, 'report.png'), await stacked(charts));
}

/** The charts below each other. */
function stacked(charts: readonly string[]): Promise<Buffer> {
  const { width, height } = CHART_SIZE;
  const create = {
    width,
    height: height * charts.length,
    channels: 3,
    background: '#fff',
  } as const;
  const layers = charts.map((svg, i) => ({ input: Buffer.from(svg), left: 0, top: height * i }));
  return sharp({ create }).composite(layers).png({ palette: true }).toBuffer();
}

function page(report: RunReport, charts: readonly string[]): string {
  const { scenario, startedAt, machine } = report;
  const on = `${startedAt}, ${machine.processor}, ${machine.cores} cores, Node ${machine.node}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Load test: ${escaped(scenario.name)}</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border-bottom: 1px solid #ddd; padding: .2em 1em .2em 0; text-align: left }
svg { max-width: 100%; height: auto }
</style>
<h1>Load test: ${escaped(scenario.name)}</h1>
<p>${escaped(scenario.description)}</p>
<p>${escaped(on)}</p>
${[findingTable(report), runTable(report), outcomeTable(report)].map(tableOf).join('\n')}
${charts.join('\n')}
</html>
`;
}

function tableOf({ head, rows }: Table): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('')}</table>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '"': '&quot;' };
const escaped = (text: string) => text.replace(/[&<"]/g, (character) => ENTITIES[character]);
