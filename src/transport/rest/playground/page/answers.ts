import type { Answer, Detection, Prediction } from './api.js';
import { digits, find, html, svg } from './elements.js';
import { latencyBar, latencyLegend } from './latency-bar.js';
import { type Model, precision } from './models.js';
import type { Picture } from './picture.js';

/** As many boxes as are listed in words; all are drawn. */
const LISTED = 6;
/** Colours for boxes, by class. */
const COLOURS = 6;

/** One card for each model that was asked. */
export class Answers {
  readonly #place = find('answers', HTMLElement);
  readonly #cards = new Map<string, HTMLElement>();

  /** Makes room for the answers of these. */
  begin(models: readonly Model[]): void {
    this.#place.setAttribute('aria-busy', 'true');
    this.#cards.clear();
    for (const model of models) {
      const heading = html(
        'h3',
        {},
        html('span', { class: 'bits' }, precision(model)),
        html('span', { class: 'name' }, model.name),
      );
      this.#cards.set(model.name, html('article', { class: 'card' }, heading));
    }
    this.#place.replaceChildren(...this.#cards.values());
    find('empty', HTMLElement).hidden = models.length > 0;
  }

  end(): void {
    this.#place.setAttribute('aria-busy', 'false');
  }

  show({ name }: Model, answer: Answer, picture: Picture): void {
    const body = answer.detections
      ? detections(answer.detections, answer, picture)
      : [ranking(answer.predictions ?? [])];
    const { timing } = answer;
    const time = html(
      'p',
      { class: 'time' },
      `${digits(timing.total, 1)} ms`,
      html('span', {}, ' this reply'),
    );
    this.#fill(name, [...body, time, latencyBar(timing, timing.total), latencyLegend(timing)]);
  }

  refuse({ name }: Model, message: string): void {
    this.#fill(name, [html('p', { class: 'problem', role: 'alert' }, message)]);
  }

  #fill(name: string, children: readonly Element[]): void {
    const card = this.#cards.get(name);
    card?.replaceChildren(...[...card.children].slice(0, 1), ...children);
  }
}

const named = ({ label, index }: Prediction) => label || `class ${index}`;

function ranking(predictions: readonly Prediction[]): HTMLElement {
  const rows = predictions.map((prediction) => {
    const share = Math.min(1, Math.max(0, prediction.score));
    const bar = svg(
      'svg',
      { class: 'score', 'aria-hidden': 'true' },
      svg('rect', { width: `${100 * share}%`, height: '100%' }),
    );
    const score = html('span', { class: 'number' }, `${digits(100 * prediction.score, 1)} %`);
    return html('li', {}, html('span', { class: 'label' }, named(prediction)), bar, score);
  });
  return html('ol', { class: 'ranking' }, ...rows);
}

function detections(
  found: readonly Detection[],
  { image = { width: 1, height: 1 } }: Answer,
  { url, title }: Picture,
): HTMLElement[] {
  const overlay = svg(
    'svg',
    { 'aria-hidden': 'true' },
    ...[...found].reverse().map((d) => box(d, image)),
  );
  const figure = html('div', { class: 'boxes' }, html('img', { src: url, alt: title }), overlay);
  const rows = found
    .slice(0, LISTED)
    .map((detection) =>
      html(
        'li',
        {},
        html('span', { class: `label class-${detection.index % COLOURS}` }, named(detection)),
        html('span', { class: 'number' }, `${digits(100 * detection.score, 1)} %`),
      ),
    );
  const count = `${found.length} ${found.length === 1 ? 'object' : 'objects'}`;
  const more = found.length > LISTED ? `, the ${LISTED} best of them` : '';
  return [
    figure,
    html('p', { class: 'count' }, count + more),
    html('ol', { class: 'found' }, ...rows),
  ];
}

/** A rectangle and its caption, placed by shares of the picture: they stay sharp at every size. */
function box(
  detection: Detection,
  { width, height }: { width: number; height: number },
): SVGElement {
  const { x, y, width: w, height: h } = detection.box;
  const [left, top] = [`${(100 * x) / width}%`, `${(100 * y) / height}%`];
  const size = { width: `${(100 * w) / width}%`, height: `${(100 * h) / height}%` };
  const caption = `${named(detection)} ${digits(detection.score, 2)}`;
  return svg(
    'g',
    { class: `class-${detection.index % COLOURS}` },
    svg('rect', { x: left, y: top, ...size }),
    svg('text', { x: left, y: top, dx: 5, dy: 15 }, caption),
  );
}
