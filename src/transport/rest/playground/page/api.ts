import type { Description, Model } from './models.js';

/** Parts of a reply's time, in ms: those the server tells, and what is left of the round trip. */
export const PARTS = ['queue', 'preprocess', 'infer', 'postprocess', 'transport'] as const;
export type Part = (typeof PARTS)[number];

export interface Timing {
  readonly parts: Readonly<Record<Part, number>>;
  /** From the request to the end of the reply. */
  readonly total: number;
}

export interface Prediction {
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

export interface Detection extends Prediction {
  readonly box: Readonly<Record<'x' | 'y' | 'width' | 'height', number>>;
}

export interface Answer {
  readonly timing: Timing;
  /** Of a classifier. */
  readonly predictions?: readonly Prediction[];
  /** Of a detector, with the size that boxes refer to. */
  readonly detections?: readonly Detection[];
  readonly image?: { readonly width: number; readonly height: number };
}

/** What the server refused, in its words. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const KEY = 'lcq-api-key';

/** The server's REST API, as the page uses it. */
export class Api {
  /** Kept for this tab only. */
  get key(): string {
    return sessionStorage.getItem(KEY) ?? '';
  }

  set key(value: string) {
    if (value === '') sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  }

  async models(): Promise<readonly Model[]> {
    const { models } = (await this.#json(await this.#fetch('/v1/models'))) as { models: Model[] };
    return models;
  }

  async describe(model: Model): Promise<Description> {
    return (await this.#json(await this.#fetch(this.#path(model)))) as Description;
  }

  /** Labels or boxes of one picture. `threshold` is that of a detector; empty: its own. */
  async ask(model: Model, picture: Blob, threshold: string, signal: AbortSignal): Promise<Answer> {
    const query =
      threshold === '' ? '' : `?scoreThreshold=${encodeURIComponent(Number(threshold))}`;
    const verb = model.task === 'detection' ? `detect${query}` : 'classify';
    const start = performance.now();
    const response = await this.#fetch(`${this.#path(model)}:${verb}`, {
      method: 'POST',
      body: picture,
      signal,
    });
    const answer = (await this.#json(response)) as Omit<Answer, 'timing'>;
    const total = performance.now() - start;
    return { ...answer, timing: readTiming(response.headers.get('server-timing') ?? '', total) };
  }

  #path({ name, version }: Model): string {
    return `/v1/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`;
  }

  #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(path, { ...init, headers: this.key === '' ? {} : { 'x-api-key': this.key } });
  }

  async #json(response: Response): Promise<unknown> {
    const json = await response.json();
    if (response.ok) return json;
    throw new Refusal(response.status, String(json.error ?? response.statusText));
  }
}

function readTiming(header: string, total: number): Timing {
  const told = (name: string) =>
    Number(new RegExp(`(?:^|, )${name};dur=([0-9.]+)`).exec(header)?.[1] ?? 0);
  const [queue, preprocess, infer, postprocess] = PARTS.map(told);
  const transport = Math.max(0, total - queue - preprocess - infer - postprocess);
  return { parts: { queue, preprocess, infer, postprocess, transport }, total };
}
