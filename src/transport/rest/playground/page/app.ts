import { Answers } from './answers.js';
import { Api, Refusal } from './api.js';
import { Comparison } from './comparison.js';
import { CurvePanel } from './curve-panel.js';
import { find } from './elements.js';
import { KeyDialog } from './key-dialog.js';
import { ModelList } from './model-list.js';
import type { Model } from './models.js';
import { type Picture, PictureSource } from './picture.js';

/** The page: a picture and some models in, answers and their costs out. */
class Playground {
  readonly #api = new Api();
  readonly #answers = new Answers();
  readonly #comparison = new Comparison();
  readonly #curve = new CurvePanel(this.#api, (error) => this.#report(error));
  readonly #models = new ModelList(() => void this.#run());
  readonly #keys = new KeyDialog(this.#api, () => void this.start());
  readonly #pictures: PictureSource;
  readonly #threshold = find('threshold', HTMLInputElement);
  readonly #rounds = find('rounds', HTMLSelectElement);
  #picture: Picture | undefined;
  #running = new AbortController();

  constructor() {
    this.#pictures = new PictureSource(
      (picture) => {
        this.#picture = picture;
        void this.#run();
      },
      (problem) => this.#say(problem),
    );
    for (const control of [this.#rounds, this.#threshold]) {
      control.addEventListener('change', () => void this.#run());
    }
    find('run', HTMLButtonElement).addEventListener('click', () => void this.#run());
  }

  /** Asks what is served, and shows a first picture. */
  async start(): Promise<void> {
    try {
      const models = await this.#api.models();
      this.#models.offer(models);
      const hasDetector = models.some(({ task }) => task === 'detection');
      for (const id of ['threshold', 'threshold-label']) {
        find(id, HTMLElement).hidden = !hasDetector;
      }
      this.#say(`${models.length} models served.`);
      await this.#curve.offer(models);
    } catch (error) {
      this.#report(error);
      return;
    }
    if (this.#picture === undefined) this.#pictures.start();
    else await this.#run();
  }

  /** Asks the chosen models in turns, as often as wanted; a run that is under way is given up. */
  async #run(): Promise<void> {
    this.#running.abort();
    const running = new AbortController();
    this.#running = running;
    const models = this.#picture === undefined ? [] : this.#models.chosen;
    this.#comparison.clear();
    this.#answers.begin(models);
    if (models.length > 0) this.#say('Asking.');
    const answering = new Set(models);
    for (let round = Number(this.#rounds.value); round > 0; round--) {
      for (const model of answering) {
        if (!(await this.#ask(model, running.signal))) answering.delete(model);
        if (running.signal.aborted) return;
      }
    }
    this.#answers.end();
    if (answering.size > 0) this.#say('Done.');
  }

  /** Whether there was an answer. */
  async #ask(model: Model, signal: AbortSignal): Promise<boolean> {
    const picture = this.#picture as Picture;
    try {
      const answer = await this.#api.ask(model, picture.blob, this.#threshold.value, signal);
      if (signal.aborted) return false;
      this.#answers.show(model, answer, picture);
      this.#comparison.add(model, answer);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      this.#answers.refuse(model, this.#report(error));
      return false;
    }
  }

  /** Says what went wrong, and asks for a key if that is it. */
  #report(error: unknown): string {
    const message = error instanceof Refusal ? error.message : 'The server cannot be reached.';
    this.#say(message);
    if (error instanceof Refusal && error.status === 401) this.#keys.ask(message);
    return message;
  }

  #say(text: string): void {
    find('status', HTMLElement).textContent = text;
  }
}

await new Playground().start();
