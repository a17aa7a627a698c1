const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters become visible, and so do those that turn the direction of what follows. */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\uFFFD');

/** Text as the content of an element or of a quoted attribute. */
export const escaped = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);

export interface Column {
  readonly title: string;
  /** Figures are set to the right. */
  readonly isFigure?: boolean;
}

/** Cells are text, or markup made here. */
export type Cell = string | { readonly html: string };

/** A table whose first column names its rows. */
export function htmlTable(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): string {
  const kind = (i: number) => (columns[i].isFigure ? ' class="figure"' : '');
  const content = (cell: Cell) => (typeof cell === 'string' ? escaped(cell) : cell.html);
  const head = columns.map(({ title }, i) => `<th scope="col"${kind(i)}>${escaped(title)}</th>`);
  const body = rows.map((row) => {
    const cells = row.map((cell, i) =>
      i === 0
        ? `<th scope="row"><span>${content(cell)}</span></th>`
        : `<td${kind(i)}>${content(cell)}</td>`,
    );
    return `<tr>${cells.join('')}</tr>`;
  });
  // Scrolls by itself where it is wider than a phone; what scrolls must take the focus, and then needs a name.
  return `<div class="table" role="region" tabindex="0" aria-label="${escaped(caption)}"><table>
<caption>${escaped(caption)}</caption>
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>`;
}

/** Names and values. */
export function htmlFacts(facts: readonly (readonly [name: string, value: string])[]): string {
  const rows = facts.map(
    ([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`,
  );
  return `<dl>${rows.join('')}</dl>`;
}
