import type { Thumbnail } from '../image/thumbnail.js';
import type { LabelledFile } from '../training/class-folders.js';
import type { Answer, Comparison } from './accuracy-section.js';
import { percent } from './figures.js';
import { escaped } from './html.js';

/** A picture that a model, or both, took for something else. */
export interface WrongExample {
  readonly file: LabelledFile;
  readonly quantized: Answer;
  readonly fullPrecision?: Answer | undefined;
}

export interface WrongGroup {
  readonly title: string;
  /** Of all, shown or not. */
  readonly count: number;
  readonly examples: readonly WrongExample[];
}

/** Pictures narrower than this are shown with their pixels. */
const SMALL = 100;

/** Wrong answers by who gave them, and at most `most` of each kind, from all over the files. */
export function wrongGroups(
  files: readonly LabelledFile[],
  { quantized, fullPrecision }: Comparison,
  most: number,
): WrongGroup[] {
  const all = files.map((file, i): WrongExample => {
    return { file, quantized: quantized.best[i], fullPrecision: fullPrecision?.best[i] };
  });
  const isRight = ({ file }: WrongExample, answer: Answer | undefined) =>
    answer?.label === file.label;
  const group = (title: string, wasRight: boolean | undefined, isNowRight: boolean): WrongGroup => {
    const members = all.filter(
      (example) =>
        isRight(example, example.quantized) === isNowRight &&
        (wasRight === undefined || isRight(example, example.fullPrecision) === wasRight),
    );
    const shown = Math.min(most, members.length);
    const examples = Array.from({ length: shown }, (_, i) => {
      return members[Math.floor((i * members.length) / shown)];
    });
    return { title, count: members.length, examples };
  };
  if (!fullPrecision) return [group('Wrong', undefined, false)];
  return [
    group('Right in full precision, wrong with LCQ', true, false),
    group('Wrong in full precision, right with LCQ', false, true),
    group('Wrong in both', false, false),
  ];
}

/** @param thumbnails by path, of every example of the groups */
export function wrongSection(
  groups: readonly WrongGroup[],
  thumbnails: ReadonlyMap<string, Thumbnail>,
): string {
  const parts = groups.map(({ title, count, examples }) => {
    const bound = examples.length < count ? `, ${examples.length} of them shown` : '';
    const items = examples.map((example) => item(example, thumbnails.get(example.file.path)));
    const list = items.length > 0 ? `<ul class="examples">\n${items.join('\n')}\n</ul>` : '';
    return `<h3>${escaped(title)}: ${count}${bound}</h3>\n${list}`;
  });
  return `<section aria-labelledby="wrong">
<h2 id="wrong">Wrong answers</h2>
${parts.join('\n')}
</section>`;
}

function item({ file, quantized, fullPrecision }: WrongExample, thumbnail?: Thumbnail): string {
  const kind = (thumbnail?.width ?? 0) < SMALL ? ' class="small"' : '';
  const said = (name: string, answer: Answer) => {
    const isRight = answer.label === file.label;
    const mark = isRight ? '✓' : '✗';
    const text = `${mark} ${answer.label}, ${percent(answer.score, 0)}`;
    return `<div><dt>${name}</dt><dd class="${isRight ? 'gain' : 'loss'}">${escaped(text)}</dd></div>`;
  };
  return `<li><img${kind} src="${escaped(thumbnail?.dataUri ?? '')}" alt="A picture of class ${escaped(file.label)}">
<dl><div><dt>is</dt><dd>${escaped(file.label)}</dd></div>
${fullPrecision ? said('fp32', fullPrecision) : ''}${said('LCQ', quantized)}</dl></li>`;
}
