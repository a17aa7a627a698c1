import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { summarize } from '../../src/quantization/summary.js';
import { curveChart } from '../../src/report/curve-chart.js';
import { layerReports } from '../../src/report/layer-report.js';
import { type Report, reportPage } from '../../src/report/page.js';
import { quantizedLayers } from '../../src/report/quantized-layer.js';
import { svgChart } from '../../src/report/svg-chart.js';
import { wrongGroups } from '../../src/report/wrong-examples.js';
import { randomIntegers } from '../lcq/random-layers.js';
import { tinyNetwork } from '../onnx/tiny-network.js';

const HOSTILE = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;$& $\` {b|c}\n\u0000\u202e`;

/** A page on which everything that comes from files has this name. */
function pageWith(name: string): string {
  const model = tinyNetwork(randomIntegers(1));
  const nodes = model.graph.nodes.map((node) => ({ ...node, name: `${name}${node.name}` }));
  const named = { ...model, producer: name, graph: { ...model.graph, nodes } };
  const summary = summarize(named);
  const facts = { name, summary, fileBytes: 1234 };
  const layers = layerReports(named, quantizedLayers(named), undefined, new Map());
  const right = { label: name, score: 0.75 };
  const wrong = { label: `not ${name}`, score: 0.5 };
  const files = [{ path: `/${name}.png`, label: name }];
  const result = { count: 1, top1: 0, top5: 1, predictions: [1] };
  const classes = [{ label: name, count: 1, top1: 0 }];
  const comparison = {
    quantized: { result: { ...result, classes }, best: [wrong] },
    fullPrecision: { result: { ...result, classes }, best: [right] },
  };
  const report: Report = {
    model: facts,
    baseline: facts,
    // As if it had been measured, so that there is a chart of it.
    layers: layers.map((layer) => ({ ...layer, weights: { ...layer.weights, sqnr: 20 } })),
    observed: 1,
    accuracy: { comparison, wrong: wrongGroups(files, comparison, 3), thumbnails: new Map() },
  };
  return reportPage(report);
}

/** What is markup: tags with the names of their attributes, the values left out. */
const markup = (page: string) =>
  page.replace(/<style>[^<]*<\/style>/, '').match(/<[a-z/][^\s>]*(\s[\w:-]+(="[^"]*")?)*\s*\/?>/gi);
const skeleton = (page: string) => markup(page)?.map((tag) => tag.replaceAll(/="[^"]*"/g, ''));

describe('the page of a report', () => {
  const plain = pageWith('a name ');

  test('loads and runs nothing', () => {
    assert.doesNotMatch(plain, /<(script|link|iframe|object|embed)\b/i);
    assert.doesNotMatch(plain, /\b(src|href|xlink:href)="(?!data:|#|")/i);
    assert.doesNotMatch(plain, /url\((?!#)|@import/i);
    assert.match(plain, /Content-Security-Policy" content="default-src 'none'/);
  });

  test('takes no name for markup', () => {
    const hostile = pageWith(HOSTILE);
    assert.deepEqual(skeleton(hostile), skeleton(plain));
    assert.doesNotMatch(hostile, /<script|<img src=x/i);
    assert.match(hostile, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
    // Nothing else would be left of a name that says what stands before it.
    assert.doesNotMatch(hostile.replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
  });

  test('names every chart, and has an id for every link within', () => {
    for (const tag of plain.match(/<svg [^>]*>/g) ?? []) {
      assert.match(tag, /role="img" aria-label="[^"]+"/);
    }
    const ids = new Set([...plain.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const wanted = [...plain.matchAll(/ (?:href="#|aria-labelledby=")([^"]+)"/g)];
    assert.ok(wanted.length > 10);
    for (const [, id] of wanted) assert.ok(ids.has(id), id);
  });

  test('gives each heading its level, without a gap', () => {
    const levels = [...plain.matchAll(/<h([1-6])\b/g)].map(([, level]) => Number(level));
    assert.equal(levels[0], 1);
    for (const [i, level] of levels.entries()) {
      assert.ok(i === 0 || (level > 1 && level <= levels[i - 1] + 1), `${levels}`);
    }
  });
});

test('a quantizer of a single level is drawn, too', () => {
  const tensor = { isSigned: false, isUniform: true, levels: [0], occupancy: [1] };
  assert.doesNotMatch(svgChart(curveChart('one level', tensor)), /NaN|Infinity/);
});

describe('wrong answers', () => {
  const files = Array.from({ length: 8 }, (_, i) => ({ path: `${i}.png`, label: 'cat' }));
  const result = { count: 8, top1: 0, top5: 0, classes: [], predictions: [] };
  const best = (labels: string) =>
    [...labels].map((c) => ({ label: { c: 'cat' }[c] ?? 'dog', score: 1 }));
  const answers = (labels: string) => ({ result, best: best(labels) });
  const told = (groups: ReturnType<typeof wrongGroups>) =>
    groups.map(({ count, examples }) => [count, examples.map(({ file }) => file.path).join()]);

  test('are sorted by who was wrong, and bounded', () => {
    const comparison = { quantized: answers('ccddddcd'), fullPrecision: answers('cdcddddc') };
    assert.deepEqual(told(wrongGroups(files, comparison, 2)), [
      [2, '2.png,7.png'],
      [2, '1.png,6.png'],
      [3, '3.png,4.png'],
    ]);
  });

  test('are those of the one model that was asked, without a baseline', () => {
    const comparison = { quantized: answers('cdcccccd') };
    assert.deepEqual(told(wrongGroups(files, comparison, 9)), [[2, '1.png,7.png']]);
  });
});
