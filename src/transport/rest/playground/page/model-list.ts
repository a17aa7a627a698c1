import { digits, find, html } from './elements.js';
import { families, type Model, precision } from './models.js';

/** The served models, by network, to choose from. */
export class ModelList {
  readonly #place = find('models', HTMLElement);
  readonly #onChange: () => void;
  #models = new Map<string, Model>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#place.addEventListener('change', () => this.#onChange());
  }

  /** Offers these, the first network chosen; of several versions of a model the highest. */
  offer(models: readonly Model[]): void {
    this.#models = new Map(models.map((model) => [model.name, model]));
    const groups = [...families([...this.#models.values()])];
    this.#place.replaceChildren(
      ...groups.map(([family, group], i) =>
        html(
          'fieldset',
          {},
          html('legend', {}, family),
          ...group.map((model) => choice(model, i === 0)),
        ),
      ),
    );
  }

  get chosen(): Model[] {
    const boxes = [...this.#place.querySelectorAll('input')].filter(({ checked }) => checked);
    return boxes.flatMap(({ value }) => this.#models.get(value) ?? []);
  }
}

function choice(model: Model, isChosen: boolean): HTMLElement {
  const box = html('input', { type: 'checkbox', value: model.name });
  box.checked = isChosen;
  return html(
    'label',
    {},
    box,
    html('span', { class: 'bits' }, precision(model)),
    html('span', { class: 'name' }, model.name),
    html('span', { class: 'number' }, `${digits(model.bytes / 1000)} kB`),
  );
}
