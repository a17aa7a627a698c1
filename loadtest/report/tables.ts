import type { RunReport } from './run-report.js';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A figure with three digits that count. */
export const figure = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '-';

/** Outcomes by stream and code, in ms. */
export function outcomeTable({ result }: RunReport): Table {
  const rows = result.streams.flatMap(({ name, outcomes }) =>
    Object.entries(outcomes).map(([code, { count, p50, p90, p99, p999, max }]) => [
      name,
      code,
      String(count),
      ...[count / result.seconds, p50, p90, p99, p999, max].map(figure),
    ]),
  );
  return {
    head: ['stream', 'outcome', 'count', 'per s', 'p50 ms', 'p90', 'p99', 'p99.9', 'max'],
    rows,
  };
}

/** The run in single figures. */
export function runTable({ result, capacity, search, resources, machine }: RunReport): Table {
  const rows = [
    ['sent', `${figure(result.sent)}/s for ${figure(result.seconds)} s`],
    ['answered OK', `${figure(result.ok)}/s`],
    ['goodput', `${figure(result.goodput)}/s`],
    ['generator lag p50, p99', `${figure(result.lag.p50)}, ${figure(result.lag.p99)} ms`],
    ['generator cores', figure(result.generatorCpu)],
    ['server on cores', machine.serverCores ?? 'not pinned'],
    ['generators on cores', machine.clientCores ?? 'not pinned'],
  ];
  if (capacity !== undefined) {
    rows.push(['capacity', `${figure(capacity.perSecond)}/s`]);
    rows.push(['lone caller p50', `${figure(capacity.serviceMs)} ms`]);
  }
  if (search !== undefined) {
    const limited = search.isGeneratorLimited ? ' (limited by the generator)' : '';
    rows.push(['highest rate that holds', `${figure(search.rate)}/s${limited}`]);
  }
  if (resources !== undefined) {
    rows.push(['server cores busy', figure(resources.cores)]);
    rows.push(['server RSS peak', `${figure(resources.peakRss)} MB`]);
    const { growth } = resources;
    const told = growth ? `${figure(growth.slope)} +- ${figure(growth.margin)} MB/h` : 'too short';
    rows.push(['server RSS growth', told]);
  }
  rows.push(['valid', result.isValid ? 'yes' : 'NO: the generator lagged']);
  return { head: ['figure', 'value'], rows };
}

export function findingTable({ findings }: RunReport): Table {
  const rows = findings.map(({ what, measured, limit, isMet }) => [
    what,
    figure(measured),
    figure(limit),
    isMet ? 'met' : 'NOT MET',
  ]);
  return { head: ['expected', 'measured', 'limit', ''], rows };
}

/** For a terminal. */
export function plainText({ head, rows }: Table): string {
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
