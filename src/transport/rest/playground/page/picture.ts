import { find, html } from './elements.js';

/** A picture that the server can read. */
export interface Picture {
  readonly blob: Blob;
  /** Of that blob. */
  readonly url: string;
  readonly title: string;
}

const SERVER_READS = ['image/jpeg', 'image/png', 'image/webp'];
const SAMPLES = ['ship', 'airplane', 'automobile', 'truck', 'horse', 'frog'];

/** Where pictures come from: dropped, pasted, chosen, taken or drawn for us. */
export class PictureSource {
  readonly #onPicture: (picture: Picture) => void;
  readonly #onProblem: (message: string) => void;
  #current: Picture | undefined;
  /** Of the choices so far: what is read slowly must not come after a later one. */
  #choices = 0;

  constructor(onPicture: (picture: Picture) => void, onProblem: (message: string) => void) {
    this.#onPicture = onPicture;
    this.#onProblem = onProblem;
    this.#watchFiles();
    this.#watchDrops();
    for (const name of SAMPLES) find('samples', HTMLElement).append(this.#sampleButton(name));
  }

  /** Takes the first sample. */
  start(): void {
    find('samples', HTMLElement).querySelector('button')?.click();
  }

  #watchFiles(): void {
    for (const id of ['file', 'camera']) {
      const input = find(id, HTMLInputElement);
      input.addEventListener('change', () => {
        void this.#take(input.files?.[0]);
        // The same file may be chosen again.
        input.value = '';
      });
    }
    document.addEventListener('paste', ({ clipboardData }) => {
      void this.#take(clipboardData?.files[0]);
    });
  }

  /** A picture may be dropped anywhere: a miss would leave the page. */
  #watchDrops(): void {
    const zone = find('drop', HTMLElement);
    document.addEventListener('dragover', (event) => {
      event.preventDefault();
      zone.classList.add('over');
    });
    document.addEventListener('dragleave', () => zone.classList.remove('over'));
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      zone.classList.remove('over');
      void this.#take(event.dataTransfer?.files[0]);
    });
  }

  #sampleButton(name: string): HTMLButtonElement {
    const src = `/playground/samples/${name}.svg`;
    const title = `Drawing of ${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
    const picture = html('img', { src, alt: title, width: 56, height: 56 });
    const button = html('button', { type: 'button', 'aria-pressed': 'false' }, picture);
    button.addEventListener('click', async () => {
      const drawing = fetch(src).then((response) => response.blob());
      if (await this.#take(drawing, title)) button.setAttribute('aria-pressed', 'true');
    });
    return button;
  }

  /** Whether it is the picture now: it is none, or another was chosen meanwhile. */
  async #take(source: Blob | Promise<Blob> | undefined, title = 'Your picture'): Promise<boolean> {
    if (source === undefined) return false;
    this.#choices += 1;
    const choice = this.#choices;
    let blob: Blob;
    try {
      blob = await readable(await source);
    } catch {
      if (choice === this.#choices) {
        this.#onProblem('This file is no picture that the browser can read.');
      }
      return false;
    }
    if (choice !== this.#choices) return false;
    for (const button of find('samples', HTMLElement).children) {
      button.setAttribute('aria-pressed', 'false');
    }
    if (this.#current !== undefined) URL.revokeObjectURL(this.#current.url);
    this.#current = { blob, url: URL.createObjectURL(blob), title };
    this.#show(this.#current);
    this.#onPicture(this.#current);
    return true;
  }

  #show({ url, title }: Picture): void {
    const preview = find('preview', HTMLImageElement);
    preview.src = url;
    preview.alt = title;
    preview.hidden = false;
  }
}

/** What the server can read: of other formats, a PNG of what the browser shows. */
async function readable(source: Blob): Promise<Blob> {
  if (SERVER_READS.includes(source.type)) return source;
  const image = new Image();
  image.src = URL.createObjectURL(source);
  try {
    await image.decode();
    const canvas = html('canvas', { width: image.naturalWidth, height: image.naturalHeight });
    canvas.getContext('2d')?.drawImage(image, 0, 0);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob === null ? reject(new Error('empty')) : resolve(blob)));
    });
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
