import { LcqError } from '../errors.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
};

/**
 * An element of the plain XML that annotation tools write: elements in elements and text, no attributes that matter.
 * Comments are dropped; no other markup is interpreted. It knows its place in the file, for the messages.
 */
export class XmlElement {
  readonly #content: string;
  readonly #place: string;

  constructor(content: string, place: string) {
    this.#content = content;
    this.#place = place;
  }

  /** The elements of this name inside, outermost first to last. */
  children(name: string): XmlElement[] {
    const found: XmlElement[] = [];
    const start = new RegExp(`<${name}(?:\\s[^<>]*)?>`, 'g');
    const end = `</${name}>`;
    for (let match = start.exec(this.#content); match; match = start.exec(this.#content)) {
      const from = match.index + match[0].length;
      const to = this.#content.indexOf(end, from);
      const place = `${this.#place}: ${name}[${found.length}]`;
      if (to < 0) throw new LcqError('INVALID_ARGUMENT', `${place} has no end`);
      found.push(new XmlElement(this.#content.slice(from, to), place));
      start.lastIndex = to + end.length;
    }
    return found;
  }

  /** The first element of this name inside. Throws INVALID_ARGUMENT if there is none. */
  child(name: string): XmlElement {
    const [first] = this.children(name);
    if (first) return new XmlElement(first.#content, `${this.#place}: ${name}`);
    throw this.invalid(`has no <${name}>`);
  }

  /** Throws INVALID_ARGUMENT if it is empty or holds elements. */
  text(): string {
    const text = this.#content.trim();
    if (text === '' || text.includes('<')) throw this.invalid('is not a text');
    return text.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity]);
  }

  /** Throws INVALID_ARGUMENT if it is not a finite number. */
  number(): number {
    const text = this.text();
    const value = Number(text);
    if (Number.isFinite(value)) return value;
    throw this.invalid(`'${text}' is not a number`);
  }

  invalid(problem: string): LcqError {
    return new LcqError('INVALID_ARGUMENT', `${this.#place} ${problem}`);
  }
}

/** The root element of a document. Throws INVALID_ARGUMENT naming `path` if it is another one. */
export function xmlElement(document: string, name: string, path: string): XmlElement {
  return new XmlElement(withoutComments(document, path), path).child(name);
}

function withoutComments(document: string, path: string): string {
  const [first, ...rest] = document.split('<!--');
  const parts = rest.map((part) => {
    const end = part.indexOf('-->');
    if (end < 0) throw new LcqError('INVALID_ARGUMENT', `${path}: a comment has no end`);
    return part.slice(end + 3);
  });
  return [first, ...parts].join('');
}
