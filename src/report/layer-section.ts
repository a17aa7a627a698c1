import { curveChart } from './curve-chart.js';
import { decibels, percent } from './figures.js';
import { escaped } from './html.js';
import type { LayerReport, TensorReport } from './layer-report.js';
import { svgChart } from './svg-chart.js';

/** The fragment that names a layer's section. */
export const layerId = (index: number): string => `layer-${index + 1}`;

export function layerSection(layer: LayerReport, index: number): string {
  const { name, op, bits, inputBits, weightShape, weights, input, outputSqnr } = layer;
  const id = layerId(index);
  const facts = [
    op,
    weightShape.join(' × '),
    `${bits}-bit weights`,
    `${inputBits}-bit input`,
    ...(outputSqnr === undefined ? [] : [`output ${decibels(outputSqnr)}`]),
  ];
  const figures = [tensorFigure(name, 'weights', weights)];
  if (input) figures.push(tensorFigure(name, 'input', input));
  else
    figures.push('<p class="muted">It reads the pixels of the picture: bytes, as they come.</p>');
  return `<section class="layer" aria-labelledby="${id}">
<h3 id="${id}">${escaped(name)}</h3>
<p class="muted">${escaped(facts.join(' · '))}</p>
<div class="split">
${figures.join('\n')}
</div>
</section>`;
}

function tensorFigure(layer: string, side: 'weights' | 'input', tensor: TensorReport): string {
  const { levels, compander, fullPrecision, occupancy } = tensor;
  const what = fullPrecision ? 'full-precision values' : 'its codes';
  const label = `${side} of ${layer}: ${levels.length} levels over the histogram of ${what}`;
  const keys = [
    ...(fullPrecision ? [key('values', `full-precision ${side}`)] : []),
    ...(!fullPrecision && occupancy ? [key('values', 'how often each level occurs')] : []),
    key('curve', compander ? 'compander' : 'codes'),
    ...(levels.length <= 33 ? [key('levels', 'levels')] : []),
  ];
  return `<figure>
<h4>${side === 'weights' ? 'Weights' : 'Input'}</h4>
${svgChart(curveChart(label, tensor))}
<figcaption>${keys.join('')}<br>${escaped(remarks(tensor).join(' · '))}</figcaption>
</figure>`;
}

const key = (kind: string, text: string) => `<span class="key ${kind}">${escaped(text)}</span>`;

function remarks(tensor: TensorReport): string[] {
  const { levels, isUniform, sqnr, clip, fullPrecision, compander, occupancy } = tensor;
  const parts = [`${levels.length} ${isUniform ? 'uniform levels' : 'levels'}`];
  if (sqnr !== undefined) parts.push(`SQNR ${decibels(sqnr)}`);
  if (clip !== undefined) parts.push(`clip ${clip.toPrecision(3)}`);
  if (fullPrecision) {
    parts.push(`${percent(fullPrecision.clipped)} beyond the clip`);
    if (fullPrecision.zeros > 0) parts.push(`${percent(fullPrecision.zeros)} zeros, not drawn`);
  } else if (!occupancy) parts.push('no values seen: give --data');
  if (!compander && !isUniform) parts.push('the file does not tell its compander');
  return parts;
}
