import type { Thumbnail } from '../image/thumbnail.js';
import { accuracySection, type Comparison } from './accuracy-section.js';
import { count } from './figures.js';
import { headSection, type ModelFacts } from './head-section.js';
import { escaped } from './html.js';
import type { LayerReport } from './layer-report.js';
import { layerSection } from './layer-section.js';
import { overviewSection } from './overview-section.js';
import { STYLE } from './style.js';
import { type WrongGroup, wrongSection } from './wrong-examples.js';

export interface Report {
  readonly model: ModelFacts;
  readonly baseline?: ModelFacts | undefined;
  readonly layers: readonly LayerReport[];
  /** Pictures that the networks were observed on. */
  readonly observed: number;
  readonly accuracy?: AccuracyReport | undefined;
}

export interface AccuracyReport {
  readonly comparison: Comparison;
  readonly wrong: readonly WrongGroup[];
  /** By path, of every example in `wrong`. */
  readonly thumbnails: ReadonlyMap<string, Thumbnail>;
}

/** A report as one HTML page that loads nothing, runs nothing, and says so to the browser. */
export function reportPage({ model, baseline, layers, observed, accuracy }: Report): string {
  const links = [
    ...(accuracy ? [['accuracy', 'Accuracy']] : []),
    ['layers', 'Layers'],
    ...(accuracy ? [['wrong', 'Wrong answers']] : []),
    ['curves', 'Companding curves'],
    ['how', 'How it was measured'],
  ].map(([id, title]) => `<li><a href="#${id}">${title}</a></li>`);
  const title = `${escaped(model.name)}: LCQ report`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${headSection(model, baseline)}
<nav aria-label="Parts of this report"><ul>${links.join('')}</ul></nav>
${accuracy ? accuracySection(accuracy.comparison) : ''}
${overviewSection(layers, model.summary.layers)}
${accuracy ? wrongSection(accuracy.wrong, accuracy.thumbnails) : ''}
<section aria-labelledby="curves">
<h2 id="curves">Companding curves</h2>
<p>A compander is steep where its levels lie close together. Each level is drawn at its code, as a share of the largest
one; the histogram has a height of its own.</p>
${layers.map(layerSection).join('\n')}
</section>
${methodSection(observed, baseline !== undefined)}
</main>
</body>
</html>
`;
}

function methodSection(observed: number, hasBaseline: boolean): string {
  const parts = [
    `Layers were observed on ${count(observed)} pictures.`,
    ...(hasBaseline
      ? [
          `SQNR is 10 log<sub>10</sub>(Σx² / Σ(x − sq)²) with x in full precision, batch normalization folded, and q the
integer levels. The scale s is not in a file, where it is folded into other constants, so it is the one that fits best:
one an output channel for weights, one for a layer's output (one a channel in front of depthwise convolutions).
Weights that were trained or solved for after quantization have moved: their SQNR counts that as noise.`,
        ]
      : []),
  ];
  return `<section aria-labelledby="how">
<h2 id="how">How it was measured</h2>
<p>${parts.join(' ')}</p>
</section>`;
}
