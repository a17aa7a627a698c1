import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writePictures } from '../report/pictures.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const NAME = 'resnet20-cifar10-w4a4';
const MODEL = join(MODELS, NAME);
const BASELINE = join(MODELS, 'resnet20-cifar10-fp32');
const CLASSES = ['bird', 'cat', 'ship'];

let root: string;
let out: string;
let pictures: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'lcq-report-'));
  out = join(root, 'page.html');
  pictures = join(root, 'pictures');
  await writePictures(pictures, CLASSES);
});

after(() => rm(root, { recursive: true }));

function lcq(args: readonly string[], nodeOptions: readonly string[] = []) {
  return spawnSync(process.execPath, [...nodeOptions, LCQ, ...args], {
    encoding: 'utf8',
    env: { ...process.env, LCQ_DEBUG: undefined },
  });
}

function report(...args: string[]): string {
  const { status, stderr } = lcq(['report', ...args, '--threads', '1', '--out', out]);
  assert.equal(status, 0, stderr);
  return readFileSync(out, 'utf8');
}

/** The cells of the row of a table whose heading is `name`. */
function row(page: string, name: string): string[] {
  const [, cells] =
    new RegExp(`<th scope="row"><span>(?:<a [^>]*>)?${name}(?:</a>)?</span></th>(.*?)</tr>`).exec(
      page,
    ) ?? assert.fail(`no row '${name}'`);
  return [...cells.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell]) =>
    cell.replaceAll(/<[^>]*>/g, '').replaceAll('\u00a0', ' '),
  );
}

const decibels = (cell: string): number => Number(/^(-?[0-9.]+) dB$/.exec(cell)?.[1] ?? Number.NaN);

describe('lcq report', () => {
  test('compares a model with its baseline: bytes, noise, curves, accuracy, wrong answers', () => {
    const page = report(MODEL, '--baseline', BASELINE, '--data', pictures, '--examples', '2');
    const bytes = statSync(join(MODEL, '1', 'model.onnx')).size.toLocaleString('en-US');
    assert.ok(page.includes(`<dd>${bytes}</dd>`), bytes);
    assert.deepEqual(row(page, '4 bits').slice(0, 2), ['18', '267,264']);
    // 4 bits of weights and activations, 8 at the ends: noise is that of their widths.
    const inner = row(page, 'block4.conv1.conv').slice(-2).map(decibels);
    const ends = row(page, 'stem.conv').slice(-2).map(decibels);
    assert.ok(inner[0] > 14 && inner[0] < 24, `${inner}`);
    assert.ok(inner[1] > 6 && inner[1] < 26, `${inner}`);
    assert.ok(ends[0] > 34, `${ends}`);
    // Weights and input of 20 layers, but the pixels; layers in two parts; classes.
    assert.equal(page.match(/<svg /g)?.length, 39 + 2 + 1);
    assert.equal(page.match(/over the histogram of full-precision values"/g)?.length, 39);
    for (const label of CLASSES) assert.equal(row(page, label)[0], '3');
    const thumbnails = page.match(/<img [^>]*src="data:image\/webp;base64,[A-Za-z0-9+/=]+"/g) ?? [];
    assert.ok(thumbnails.length > 0 && thumbnails.length <= 6, `${thumbnails.length}`);
  });

  test('shows the levels of a file alone, and says what is missing', () => {
    const page = report(join(MODEL, '1', 'model.onnx'));
    assert.match(page, /<h1>model\.onnx<\/h1>/);
    assert.match(page, /15 levels/);
    assert.match(page, /no values seen: give --data/);
    assert.doesNotMatch(page, /id="accuracy"|over the histogram of full-precision/);
  });

  test('counts codes on pictures without labels', () => {
    const page = report(MODEL, '--data', join(pictures, 'cat'));
    assert.match(page, /how often each level occurs/);
    assert.match(page, /observed on 3 pictures/);
    assert.doesNotMatch(page, /id="accuracy"/);
  });

  test('is the same page from the same files', () => {
    const args = [MODEL, '--baseline', BASELINE, '--data', join(pictures, 'cat')];
    assert.equal(report(...args), report(...args));
  });

  const file = join(MODEL, '1', 'model.onnx');
  const cases: [string, () => string[], RegExp][] = [
    ['no such model', () => [join(root, 'none.onnx')], /NOT_FOUND: there is no file/],
    ['full precision', () => [BASELINE], /INVALID_ARGUMENT: .* has no LCQ layers/],
    ['a quantized baseline', () => [MODEL, '--baseline', MODEL], /INVALID_ARGUMENT: the baseline/],
    ['pictures for a file', () => [file, '--data', pictures], /INVALID_ARGUMENT: --data needs/],
    ['no pictures', () => [MODEL, '--data', join(root, 'none')], /NOT_FOUND: .*none/],
    ['no place', () => [MODEL, '--out', join(root, 'none', 'x')], /INVALID_ARGUMENT: cannot write/],
  ];
  for (const [title, args, line] of cases) {
    test(`says in one coded line what is wrong, and writes nothing: ${title}`, async () => {
      await rm(out, { force: true });
      const { status, stderr } = lcq(['report', '--out', out, ...args()]);
      assert.equal(status, 1);
      assert.match(stderr, /^lcq: [A-Z_]+: .*\n$/);
      assert.match(stderr, line);
      assert.equal(existsSync(out), false);
    });
  }

  test('says what to install where echarts is not', () => {
    const module = (source: string) => `data:text/javascript;base64,${btoa(source)}`;
    const resolve = `export const resolve = (name, context, next) => {
      if (!name.startsWith('echarts/')) return next(name, context);
      throw Object.assign(new Error(name), { code: 'ERR_MODULE_NOT_FOUND' });
    };`;
    const hook = `import { register } from 'node:module'; register('${module(resolve)}');`;
    const without = ['--import', module(hook)];
    const { status, stderr } = lcq(['report', MODEL, '--out', out], without);
    assert.equal(status, 1);
    assert.match(stderr, /^lcq: UNSUPPORTED: .*npm install echarts@6\n$/);
  });
});
