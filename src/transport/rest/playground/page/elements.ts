/** Elements are only ever made from attributes and text: nothing that a server says is read as markup. */

type Child = Node | string;
type Attributes = Readonly<Record<string, string | number>>;

export function html<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  return filled(document.createElement(tag), attributes, children);
}

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  return filled(made, attributes, children);
}

function filled<T extends Element>(made: T, attributes: Attributes, children: Child[]): T {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** The element of the page with this id, which must be there. */
export function find<T extends Element>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`the page has no ${type.name} '${id}'`);
}

/** Whole numbers with separators, others with so many digits after the point. */
export const digits = (value: number, fraction = 0): string =>
  value.toLocaleString('en', { minimumFractionDigits: fraction, maximumFractionDigits: fraction });
