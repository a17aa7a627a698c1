import type { Api } from './api.js';
import { curvePlot, stepsOf } from './curve.js';
import { digits, find, html } from './elements.js';
import type { Description, Layer, Model, Quantizer } from './models.js';

type Side = 'activations' | 'weights';

/** So many levels are listed; of more, the ends. */
const LISTED = 16;

/** Chooses a layer of a model and shows its compander with the numbers behind it. */
export class CurvePanel {
  readonly #api: Api;
  readonly #report: (error: unknown) => string;
  readonly #models = find('curve-model', HTMLSelectElement);
  readonly #layers = find('curve-layer', HTMLSelectElement);
  readonly #side = find('curve-side', HTMLSelectElement);
  #description: Description | undefined;

  /** `report` says what went wrong, in words for the reader. */
  constructor(api: Api, report: (error: unknown) => string) {
    this.#api = api;
    this.#report = report;
    this.#models.addEventListener('change', () => void this.#load());
    this.#layers.addEventListener('change', () => this.#draw());
    this.#side.addEventListener('change', () => this.#draw());
  }

  /** Offers the quantized ones of these. */
  async offer(models: readonly Model[]): Promise<void> {
    const quantized = models.filter(({ bits }) => bits !== undefined);
    find('curve-section', HTMLElement).hidden = quantized.length === 0;
    if (quantized.length === 0) return;
    const options = quantized.map((model) => html('option', { value: model.name }, model.name));
    this.#models.replaceChildren(...options);
    this.#known = quantized;
    await this.#load();
  }

  #known: readonly Model[] = [];

  async #load(): Promise<void> {
    const model = this.#known.find(({ name }) => name === this.#models.value);
    if (model === undefined) return;
    // Another may be chosen meanwhile.
    const isChosen = () => model.name === this.#models.value;
    try {
      const description = await this.#api.describe(model);
      if (isChosen()) this.#offerLayers(description);
    } catch (error) {
      if (isChosen()) this.#refuse(this.#report(error));
    }
  }

  #refuse(message: string): void {
    this.#description = undefined;
    this.#layers.replaceChildren();
    const problem = html('p', { class: 'problem', role: 'alert' }, message);
    find('curve', HTMLElement).replaceChildren(problem);
  }

  #offerLayers(description: Description): void {
    this.#description = description;
    const { layers } = description;
    this.#layers.replaceChildren(
      ...layers.map(({ name }, i) => html('option', { value: i }, name)),
    );
    // The ends of a network are often uniform: begin where there is something to see.
    const shown = layers.findIndex(({ activations }) => activations.compander !== undefined);
    this.#layers.selectedIndex = Math.max(0, shown);
    this.#draw();
  }

  #draw(): void {
    const layer = this.#description?.layers[this.#layers.selectedIndex];
    if (layer === undefined) return;
    const side = this.#side.value as Side;
    const quantizer = layer[side];
    const title = `Companding curve of the ${side} of ${layer.name}: codes by magnitude`;
    const figure = html('figure', {}, curvePlot(quantizer, title), caption(quantizer));
    find('curve', HTMLElement).replaceChildren(figure, facts(layer, quantizer));
  }
}

function caption(quantizer: Quantizer): HTMLElement {
  const keys: [string, string][] = [['uniform', 'uniform quantizer of the same clip']];
  if (quantizer.compander) {
    keys.unshift(['compander', 'compander f'], ['quantizer', 'this quantizer']);
  }
  keys.push(['level', 'levels']);
  const legend = keys.map(([name, text]) => html('span', { class: `line ${name}` }, text));
  return html('figcaption', {}, html('span', { class: 'legend' }, ...legend), remark(quantizer));
}

function remark(quantizer: Quantizer): string {
  if (quantizer.compander) {
    return 'Where f is steep, levels are close together; where it is flat, they are far apart.';
  }
  if (stepsOf(quantizer).isUniform) return 'These levels are uniform: nothing is companded here.';
  return 'The file does not hold the compander of this side: only its levels are shown.';
}

function facts(layer: Layer, quantizer: Quantizer): HTMLElement {
  const { compander } = quantizer;
  const rows: [string, string][] = [
    ['Operator', layer.op],
    ['Kernel', layer.kernel],
    ['Weights', layer.weightShape.join(' × ')],
    ['Bits', `${layer.weights.bits} weights, ${layer.activations.bits} activations`],
    ['Levels', listed(quantizer.levels.map(String))],
  ];
  if (compander) {
    rows.push(['Clip', digits(compander.alpha, 3)]);
    const thresholds = compander.thresholds.map((t) => digits(t * compander.alpha, 3));
    rows.push(['Thresholds', listed(thresholds)]);
  }
  return html(
    'dl',
    { class: 'facts' },
    ...rows.flatMap(([name, text]) => [html('dt', {}, name), html('dd', {}, text)]),
  );
}

function listed(values: readonly string[]): string {
  if (values.length <= LISTED) return values.join('  ');
  return `${values[0]} … ${values.at(-1)} (${values.length})`;
}
