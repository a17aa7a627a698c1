import type { ModelKey } from './questions.js';

/** How a request ended: with an answer, an error code of ours, an answer or code that must not be, or nothing. */
export type Ending =
  | { readonly kind: 'answer'; readonly of: ModelKey | undefined }
  | { readonly kind: 'coded'; readonly code: string }
  | { readonly kind: 'lost'; readonly why: string };

const MAX_SAMPLES = 3;

/** Counts of how requests ended. */
export class Tally {
  requests = 0;
  right = 0;
  wrong = 0;
  lost = 0;
  /** Broken connections of requests that began after the server was told to stop. */
  refused = 0;
  readonly coded = new Map<string, number>();
  /** Some of what was wrong or lost. */
  readonly samples: string[] = [];

  /** `allowed`: whose answers are right. */
  add(ending: Ending, allowed: ReadonlySet<ModelKey>, mayBeRefused: boolean): boolean {
    this.requests += 1;
    if (ending.kind === 'answer') {
      const isRight = ending.of !== undefined && allowed.has(ending.of);
      if (isRight) this.right += 1;
      else this.#wrong(`an answer of ${ending.of ?? 'nobody'}, not of ${[...allowed]}`);
      return isRight;
    }
    if (ending.kind === 'coded') {
      this.coded.set(ending.code, (this.coded.get(ending.code) ?? 0) + 1);
      if (ending.code.startsWith('INTERNAL')) this.#wrong(ending.code);
    } else if (mayBeRefused) this.refused += 1;
    else {
      this.lost += 1;
      this.#sample(`lost: ${ending.why}`);
    }
    return false;
  }

  #wrong(what: string): void {
    this.wrong += 1;
    this.#sample(what);
  }

  #sample(text: string): void {
    if (this.samples.length < MAX_SAMPLES) this.samples.push(text);
  }
}
