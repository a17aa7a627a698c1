import { Command } from 'commander';
import type { NamedType } from '../onnx/graph.js';
import { decodeModel } from '../onnx/serde.js';
import { type LayerSummary, type ModelSummary, summarize } from '../quantization/summary.js';
import { readModelFile } from './model-bytes.js';

export const command = new Command('inspect')
  .description('print the layers, bits, bytes and levels of an ONNX model file')
  .argument('<model>', 'an .onnx file, LCQ or other')
  .option('--json', 'print one JSON object instead of tables', false)
  .action(async (path: string, { json }: { json: boolean }) => {
    const summary = summarize(decodeModel(await readModelFile(path)));
    console.log(json ? JSON.stringify(summary, null, 2) : report(path, summary));
  });

function report(path: string, summary: ModelSummary): string {
  const opsets = Object.entries(summary.opsets).map(([domain, v]) => `${domain || 'onnx'} ${v}`);
  const lines = [
    `${path}: IR version ${summary.irVersion}, ${opsets.join(', ')}, by ${summary.producer || 'unknown'}`,
    ...Object.entries(summary.metadata).map(([key, value]) => shortened(`${key}: ${value}`)),
    ...summary.inputs.map((value) => `input   ${typed(value)}`),
    ...summary.outputs.map((value) => `output  ${typed(value)}`),
    '',
    ...table(HEADINGS, summary.layers.map(row)),
    '',
    ...totals(summary),
  ];
  return lines.map(printable).join('\n');
}

/** Names come from the file: without this they could steer the terminal. */
function printable(line: string): string {
  return line.replace(/\p{Cc}/gu, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const MAX_LINE = 200;

function shortened(line: string): string {
  return line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE)}...`;
}

function typed({ name, type }: NamedType): string {
  return `${name}: ${type.dtype} [${type.shape.join(', ')}]`;
}

const HEADINGS = [
  'layer',
  'op',
  'weights',
  'bits',
  'count',
  'bytes',
  'bits/weight',
  'MACs',
  'input levels',
  'weight levels',
];

function row(layer: LayerSummary): string[] {
  const { name, op, weightShape, bits, weights, bytes, bitsPerWeight, macs } = layer;
  return [
    name,
    op,
    weightShape.join('x'),
    String(bits),
    count(weights),
    count(bytes),
    bitsPerWeight.toFixed(3),
    macs === undefined ? NOTHING : count(macs),
    levels(layer.inputLevels),
    levels(layer.weightLevels),
  ];
}

const NOTHING = '-';
const MAX_LISTED_LEVELS = 16;

function levels(values: readonly number[] | undefined): string {
  if (!values) return NOTHING;
  if (values.length <= MAX_LISTED_LEVELS) return values.join(' ');
  return `${values[0]}..${values.at(-1)} (${values.length})`;
}

function totals({ layers, totals }: ModelSummary): string[] {
  const lcq = layers.filter(({ weightLevels }) => weightLevels).length;
  const kinds = lcq === 0 ? 'none of them LCQ' : `${lcq} of them LCQ`;
  return [
    `${layers.length} layers, ${kinds}; ${count(totals.weights)} weights in ${count(totals.bytes)} bytes, ` +
      `${totals.bitsPerWeight.toFixed(3)} bits a weight: compression ${totals.compression.toFixed(2)}x against fp32`,
    `other constants ${count(totals.otherBytes)} bytes` +
      (totals.macs > 0 ? `; ${count(totals.macs)} multiply-accumulates an image` : ''),
  ];
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Lines of columns two spaces apart; a column without any entry is left out. */
function table(headings: readonly string[], rows: readonly string[][]): string[] {
  const lines = [headings, ...rows];
  const columns = headings.flatMap((_, column) => {
    if (rows.every((cells) => cells[column] === NOTHING)) return [];
    const width = Math.max(...lines.map((cells) => cells[column].length));
    return [lines.map((cells) => cells[column].padEnd(width))];
  });
  return lines.map((_, line) =>
    columns
      .map((cells) => cells[line])
      .join('  ')
      .trimEnd(),
  );
}
