/** A report in a real browser: `npm run test:playground`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { CHROMIUM, launch, SHOTS, violations } from '../playground/page-under-test.js';
import { writePictures } from './pictures.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const skip = existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}: set CHROMIUM`;
const VIEWS = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true },
} as const;

/** Pictures that the browser could not show. */
const BROKEN = '[...document.images].filter((image) => image.naturalWidth === 0).length';

describe('a report in Chromium', { skip }, () => {
  let browser: Browser;
  let root: string;
  let page: string;
  before(async () => {
    browser = await launch();
    root = await mkdtemp(join(tmpdir(), 'lcq-report-'));
    page = join(root, 'page.html');
    const pictures = join(root, 'pictures');
    await writePictures(pictures, ['bird', 'cat', 'ship']);
    const [model, baseline] = ['w4a4', 'fp32'].map((kind) => `${MODELS}resnet20-cifar10-${kind}`);
    const args = [model, '--baseline', baseline, '--data', pictures, '--out', page];
    const { status, stderr } = spawnSync(process.execPath, [LCQ, 'report', ...args]);
    assert.equal(status, 0, String(stderr));
  });
  after(async () => {
    await browser?.close();
    await rm(root, { recursive: true });
  });

  for (const [name, options] of Object.entries(VIEWS)) {
    test(`asks nobody, fits, shows its pictures and can be read by all: ${name}`, async () => {
      const context = await browser.newContext(options);
      try {
        const tab = await context.newPage();
        const noise: string[] = [];
        tab.on('console', (message) => noise.push(message.text()));
        tab.on('request', (request) => noise.push(request.url()));
        const url = pathToFileURL(page).href;
        await tab.goto(url);
        const others = noise.filter((text) => text !== url && !text.startsWith('data:'));
        assert.deepEqual(others, []);
        const width = await tab.evaluate('document.documentElement.scrollWidth');
        assert.equal(width, options.viewport.width);
        assert.equal(await tab.evaluate(BROKEN), 0);
        assert.deepEqual(await violations(tab), []);
        await mkdir(SHOTS, { recursive: true });
        await tab.screenshot({ path: join(SHOTS, `report-${name}.png`) });
      } finally {
        await context.close();
      }
    });
  }
});
