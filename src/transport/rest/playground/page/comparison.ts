import { type Answer, PARTS, type Part, type Timing } from './api.js';
import { digits, find, html, svg } from './elements.js';
import { latencyBar } from './latency-bar.js';
import { families, type Model, precision } from './models.js';

const HEADINGS = ['Model', 'File, bytes', '', 'Infer, ms', 'Server, ms', 'Round trip, ms', ''];

/** What the models that were asked cost: bytes, and medians of the times. */
export class Comparison {
  readonly #timings = new Map<Model, Timing[]>();

  constructor() {
    // The keyboard scrolls what it can focus.
    find('comparison', HTMLElement).tabIndex = 0;
  }

  clear(): void {
    this.#timings.clear();
    find('comparison-section', HTMLElement).hidden = true;
  }

  add(model: Model, { timing }: Answer): void {
    this.#timings.set(model, [...(this.#timings.get(model) ?? []), timing]);
    this.#draw();
  }

  #draw(): void {
    const medians = new Map([...this.#timings].map(([model, all]) => [model, median(all)]));
    const longest = Math.max(...[...medians.values()].map(({ total }) => total));
    const largest = Math.max(...[...medians.keys()].map(({ bytes }) => bytes));
    const bodies = [...families([...medians.keys()]).values()].map((group) => {
      const [base] = group;
      const rows = group.map((model) => {
        const of = (m: Model) => medians.get(m) as Timing;
        return row(model, of(model), { base, baseInfer: of(base).parts.infer, longest, largest });
      });
      return html('tbody', {}, ...rows);
    });
    const head = html(
      'tr',
      {},
      // Graphs repeat the numbers before them.
      ...HEADINGS.map((text) => (text === '' ? html('td') : html('th', { scope: 'col' }, text))),
    );
    find('comparison', HTMLElement).replaceChildren(
      html('table', {}, html('thead', {}, head), ...bodies),
    );
    const runs = Math.min(...[...this.#timings.values()].map(({ length }) => length));
    find('method', HTMLElement).textContent =
      `Medians of ${runs} ${runs === 1 ? 'run' : 'runs'}, the models taking turns, one picture at a time; ` +
      'factors are against the first model of the same network.';
    find('comparison-section', HTMLElement).hidden = false;
  }
}

interface Scale {
  readonly base: Model;
  readonly baseInfer: number;
  /** Of the round trips, in ms. */
  readonly longest: number;
  /** Of the files, in bytes. */
  readonly largest: number;
}

function row(model: Model, timing: Timing, { base, baseInfer, longest, largest }: Scale) {
  const { infer, transport } = timing.parts;
  const bytes = svg(
    'svg',
    { class: 'size', 'aria-hidden': 'true' },
    svg('rect', { width: `${(100 * model.bytes) / largest}%`, height: '100%' }),
  );
  const isBase = model === base;
  return html(
    'tr',
    {},
    html('th', { scope: 'row' }, html('span', { class: 'bits' }, precision(model)), model.name),
    numberCell(
      digits(model.bytes),
      isBase ? '' : factor(base.bytes / model.bytes, 'smaller', 'larger'),
    ),
    html('td', { class: 'graph' }, bytes),
    numberCell(digits(infer, 2), isBase ? '' : factor(baseInfer / infer, 'faster', 'slower')),
    numberCell(digits(timing.total - transport, 2)),
    numberCell(digits(timing.total, 2)),
    html('td', { class: 'graph' }, latencyBar(timing, longest)),
  );
}

function numberCell(text: string, remark = ''): HTMLElement {
  const remarks = remark === '' ? [] : [html('small', {}, remark)];
  return html('td', { class: 'number' }, text, ...remarks);
}

function factor(ratio: number, more: string, less: string): string {
  return ratio >= 1 ? `${digits(ratio, 1)}× ${more}` : `${digits(1 / ratio, 1)}× ${less}`;
}

/** Part by part: the medians of the parts need not add up to that of the whole, so the whole is their sum. */
function median(timings: readonly Timing[]): Timing {
  const middle = (values: number[]) => {
    const sorted = values.sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };
  const entries = PARTS.map((part) => [part, middle(timings.map(({ parts }) => parts[part]))]);
  const parts = Object.fromEntries(entries) as Record<Part, number>;
  return { parts, total: PARTS.reduce((sum, part) => sum + parts[part], 0) };
}
