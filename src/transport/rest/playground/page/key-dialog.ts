import type { Api } from './api.js';
import { find } from './elements.js';

/** Asks for the key of a server that wants one. */
export class KeyDialog {
  readonly #dialog = find('key-dialog', HTMLDialogElement);
  readonly #input = find('key', HTMLInputElement);

  constructor(api: Api, onChange: () => void) {
    find('key-button', HTMLButtonElement).addEventListener('click', () => {
      this.ask('This server may ask for a key.');
    });
    this.#dialog.addEventListener('close', () => {
      const choice = this.#dialog.returnValue;
      if (choice === 'use') api.key = this.#input.value.trim();
      if (choice === 'forget') api.key = '';
      this.#input.value = '';
      if (choice === 'use' || choice === 'forget') onChange();
    });
  }

  ask(reason: string): void {
    if (this.#dialog.open) return;
    this.#dialog.returnValue = '';
    find('key-problem', HTMLElement).textContent = reason;
    this.#dialog.showModal();
  }
}
