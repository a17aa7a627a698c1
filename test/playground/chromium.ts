/** The playground in a real browser: `npm run test:playground`. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { blockPicture } from '../end-to-end/block-detector.js';
import { rest, solidImage } from '../end-to-end/server-under-test.js';
import { CHROMIUM, launch, serveModels, visit } from './page-under-test.js';

const DESKTOP = { width: 1360, height: 900 };
const PHONE = { width: 390, height: 844 };
const KEY = 'a-key-of-16-characters';
const skip = existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}: set CHROMIUM`;

const fileBytes = (name: string) =>
  statSync(fileURLToPath(new URL(`../../../models/${name}/1/model.onnx`, import.meta.url))).size;

type Box = Record<'x' | 'y' | 'width' | 'height', number>;

/** What has the focus, and the outline that shows it: a file input's is that of its label. */
const FOCUS = `(() => {
  const focused = document.activeElement;
  const shown = focused.matches('.unseen') ? focused.nextElementSibling : focused;
  return [focused.id || focused.outerHTML, getComputedStyle(shown).outlineStyle];
})()`;

/** The first label of each card, by the model's name. */
async function firstLabels(page: Page): Promise<Record<string, string>> {
  const cards = await page.locator('.card').all();
  const entries = cards.map(async (card) => {
    const name = await card.locator('h3 .name').innerText();
    return [name, await card.locator('.ranking .label').first().innerText()];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Drops or pastes a file as the browser would. */
async function give(page: Page, how: 'drop' | 'paste', bytes: Buffer, type: string): Promise<void> {
  const kind = { drop: ['DragEvent', 'dataTransfer'], paste: ['ClipboardEvent', 'clipboardData'] }[
    how
  ];
  await page.evaluate(`{
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob('${bytes.toString('base64')}'), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], 'given', { type: '${type}' }));
    const init = { bubbles: true, cancelable: true, ${kind[1]}: data };
    document.querySelector('#drop').dispatchEvent(new ${kind[0]}('${how}', init));
  }`);
}

describe('the playground in Chromium', { skip }, () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serveModels>>;
  before(async () => {
    browser = await launch();
    server = await serveModels();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('names the ship in the sample, by full precision and by 2 bits, side by side', () =>
    visit(browser, server.url, { viewport: DESKTOP, colorScheme: 'light' }, async (visit) => {
      const { page, settled } = visit;
      await settled();
      const labels = await firstLabels(page);
      assert.equal(labels['resnet20-cifar10-fp32'], 'ship');
      assert.equal(labels['resnet20-cifar10-w2a2'], 'ship');
      for (const name of Object.keys(labels)) {
        const row = page.locator('#comparison tbody tr', { hasText: name });
        assert.ok((await row.innerText()).includes(fileBytes(name).toLocaleString('en')), name);
      }
      assert.match(await page.locator('#method').innerText(), /^Medians of 9 runs/);
      assert.deepEqual(await visit.violations(), []);
      await visit.shoot('light');
    }));

  test('splits the time of a reply as the server does', () =>
    visit(browser, server.url, { viewport: DESKTOP }, async ({ page, settled }) => {
      await page.locator('#rounds').selectOption('1');
      await settled();
      const replied = page.waitForResponse(/w2a2.*:classify$/);
      await page.locator('#run').click();
      const timing = (await (await replied).headerValue('server-timing')) ?? '';
      await settled();
      const card = page.locator('.card', { hasText: 'w2a2' });
      const shown = await card.locator('.parts').innerText();
      for (const part of ['queue', 'preprocess', 'infer', 'postprocess']) {
        const told = Number(new RegExp(`${part};dur=([0-9.]+)`).exec(timing)?.[1]);
        const read = Number(new RegExp(`${part}\\s+([0-9.]+)`).exec(shown)?.[1]);
        assert.ok(Math.abs(told - read) <= 0.0051, `${part}: ${told} told, ${read} shown`);
      }
    }));

  for (const how of ['drop', 'paste'] as const) {
    test(`takes a picture by ${how}, and shows what the server says of it`, () =>
      visit(browser, server.url, { viewport: DESKTOP }, async ({ page, settled }) => {
        await settled();
        const picture = await solidImage([30, 160, 60], 'jpeg', 90, 60);
        await give(page, how, picture, 'image/jpeg');
        await page.locator('#preview[alt="Your picture"]').waitFor();
        await settled();
        for (const [name, label] of Object.entries(await firstLabels(page))) {
          const url = `${server.url}/v1/models/${name}:classify`;
          const { json } = await rest(url, picture, { headers: { 'content-type': 'image/jpeg' } });
          assert.equal(label, json.predictions[0].label, name);
        }
      }));
  }

  test('says so when a file is no picture', () =>
    visit(browser, server.url, { viewport: DESKTOP }, async ({ page, settled }) => {
      await settled();
      await give(page, 'drop', Buffer.from('no picture'), 'text/plain');
      await page.getByText('This file is no picture that the browser can read.').waitFor();
    }));

  test('draws boxes where the detector sees objects, and takes no label for markup', () =>
    visit(browser, server.url, { viewport: DESKTOP }, async (visit) => {
      const { page, settled } = visit;
      await settled();
      const chosen = page.locator('#models input:checked');
      while ((await chosen.count()) > 0) await chosen.first().uncheck();
      await page.locator('#models input[value="blocks"]').check();
      const blocks = blockPicture(64, 64, [
        { colour: '#ff0000', at: [0, 1] },
        { colour: '#0000ff', at: [2, 2] },
      ]);
      const buffer = await blocks.png().toBuffer();
      await page
        .locator('#file')
        .setInputFiles({ name: 'blocks.png', mimeType: 'image/png', buffer });
      await page.locator('.boxes img[alt="Your picture"]').waitFor();
      await settled();
      const url = `${server.url}/v1/models/blocks:detect`;
      const { json } = await rest(url, buffer, { headers: { 'content-type': 'image/png' } });
      assert.equal(json.detections.length, 2);
      const image = (await page.locator('.boxes img').boundingBox()) as Box;
      for (const { label, score, box } of json.detections) {
        const group = page.locator('.boxes g', { hasText: `${label} ${score.toFixed(2)}` });
        const drawn = (await group.locator('rect').boundingBox()) as Box;
        const centre = [drawn.x - image.x + drawn.width / 2, drawn.y - image.y + drawn.height / 2];
        const wanted = [box.x + box.width / 2, box.y + box.height / 2];
        wanted.forEach((pixel, axis) => {
          const shown = (pixel / 64) * [image.width, image.height][axis];
          assert.ok(Math.abs(centre[axis] - shown) < 2, `${label}: ${centre} for ${wanted}`);
        });
      }
      assert.equal(await page.locator('.found .label', { hasText: 'blue <b>' }).count(), 1);
      assert.equal(await page.locator('#answers b').count(), 0);
      assert.deepEqual(await visit.violations(), []);
      await visit.shoot('boxes');
    }));

  test('shows the levels and the compander of a layer, and that 8-bit ends are uniform', () =>
    visit(browser, server.url, { viewport: DESKTOP }, async ({ page, settled }) => {
      await settled();
      await page.locator('#curve-model').selectOption('resnet20-cifar10-w2a2');
      await page.locator('#curve-layer').selectOption({ label: 'block0.conv1.conv' });
      assert.match(await page.locator('.facts').innerText(), /Levels\s+0\s+13\s+26\s+42/);
      assert.equal(await page.locator('#curve circle').count(), 4);
      assert.equal(await page.locator('#curve path.compander').count(), 1);
      await page.locator('#curve-layer').selectOption({ label: 'stem.conv' });
      await page.getByText('These levels are uniform').waitFor();
      assert.equal(await page.locator('#curve path.compander').count(), 0);
    }));

  test('shows the last choice, whatever is answered last', () =>
    visit(browser, server.url, { viewport: DESKTOP }, async ({ page, settled }) => {
      await settled();
      /** Chooses something whose answer is held back until something else is shown. */
      const overtaken = async (
        url: RegExp,
        choose: () => Promise<unknown>,
        other: () => Promise<unknown>,
      ) => {
        let release = () => {};
        const gate = new Promise<void>((resolve) => {
          release = resolve;
        });
        await page.route(url, async (route) => {
          await gate;
          await route.continue();
        });
        const answered = page.waitForResponse(url);
        await choose();
        await other();
        release();
        await (await answered).finished();
        await page.unroute(url);
      };
      const select = (model: string) => page.locator('#curve-model').selectOption(model);
      await overtaken(
        /resnet20-cifar10-w2a2\/versions\/1$/,
        () => select('resnet20-cifar10-w2a2'),
        async () => {
          await select('resnet20-cifar10-w4a4');
          await page.locator('.facts', { hasText: '4 weights, 4 activations' }).waitFor();
        },
      );
      const draw = (name: string) => page.getByRole('button', { name }).click();
      await page.evaluate(`{
        const preview = document.querySelector('#preview');
        globalThis.shown = [];
        new MutationObserver(() => shown.push(preview.alt)).observe(preview, { attributeFilter: ['alt'] });
      }`);
      const see = async (name: string) => {
        await draw(name);
        await page.locator(`#preview[alt="${name}"]`).waitFor();
      };
      await overtaken(
        /frog\.svg$/,
        () => draw('Drawing of a frog'),
        () => see('Drawing of a horse'),
      );
      await see('Drawing of a truck');
      assert.deepEqual(await page.evaluate('shown'), ['Drawing of a horse', 'Drawing of a truck']);
      assert.match(await page.locator('.facts').innerText(), /4 weights, 4 activations/);
    }));

  test('asks the models although their curves cannot be had', () =>
    visit(
      browser,
      server.url,
      { viewport: DESKTOP },
      async ({ page, settled }) => {
        await settled();
        await page.route(/\/versions\/1$/, (route) => route.abort());
        await page.reload();
        await page.locator('#curve .problem').waitFor();
        await settled();
        assert.equal((await firstLabels(page))['resnet20-cifar10-w2a2'], 'ship');
      },
      // Chromium itself reports each request that fails.
      /ERR_FAILED/,
    ));

  test('is dark where the system is', () =>
    visit(browser, server.url, { viewport: DESKTOP, colorScheme: 'dark' }, async (visit) => {
      await visit.settled();
      const background = 'getComputedStyle(document.documentElement).backgroundColor';
      const [red] = /\d+/.exec(await visit.page.evaluate(background)) ?? [];
      assert.ok(Number(red) < 64, `background ${red}`);
      assert.deepEqual(await visit.violations(), []);
      await visit.shoot('dark');
    }));

  test('fits a phone, and is used by touch', () =>
    visit(
      browser,
      server.url,
      { viewport: PHONE, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
      async (visit) => {
        const { page, settled } = visit;
        await settled();
        await page.getByRole('button', { name: 'Drawing of a frog' }).tap();
        await page.locator('#preview[alt="Drawing of a frog"]').waitFor();
        await settled();
        assert.equal((await firstLabels(page))['resnet20-cifar10-fp32'], 'frog');
        assert.equal(await page.evaluate('document.scrollingElement.scrollWidth'), PHONE.width);
        await page.getByText('Take a photo').waitFor();
        for (const control of await page.locator('button:visible, select:visible').all()) {
          const size = await control.boundingBox();
          assert.ok(size && Math.min(size.width, size.height) >= 40, await control.innerText());
        }
        assert.deepEqual(await visit.violations(), []);
        await visit.shoot('phone');
      },
    ));

  test('can be used by the keyboard alone, and shows where it is', () =>
    visit(browser, server.url, { viewport: DESKTOP }, async ({ page, settled }) => {
      await settled();
      const seen: string[] = [];
      /** Moves on until this element has the focus. */
      const tabTo = async (selector: string) => {
        for (let i = 0; i < 60; i++) {
          await page.keyboard.press('Tab');
          const outline = (await page.evaluate(FOCUS)) as [string, string];
          seen.push(outline[0]);
          assert.notEqual(outline[1], 'none', `${outline[0]} does not show the focus`);
          if (await page.locator(`${selector}:focus`).count()) return;
        }
        assert.fail(`${selector} is not reached by: ${seen.join(', ')}`);
      };
      await tabTo('#key-button');
      await tabTo('#file');
      await tabTo('#samples button:last-child');
      await page.keyboard.press('Enter');
      await page.locator('#preview[alt="Drawing of a frog"]').waitFor();
      await tabTo('#models input[value="resnet20-cifar10-fp32"]');
      await page.keyboard.press('Space');
      await settled();
      assert.ok(!('resnet20-cifar10-fp32' in (await firstLabels(page))));
      await tabTo('#rounds');
      await page.keyboard.press('ArrowUp');
      await tabTo('#run');
      await page.keyboard.press('Enter');
      await settled();
      assert.match(await page.locator('#method').innerText(), /^Medians of 1 run,/);
      await tabTo('#comparison');
      await tabTo('#curve-layer');
      const before = await page.locator('.facts').innerText();
      await page.keyboard.press('ArrowDown');
      assert.notEqual(await page.locator('.facts').innerText(), before);
    }));

  test('does not move for those who want no motion', () =>
    visit(browser, server.url, { viewport: DESKTOP, reducedMotion: 'reduce' }, async (visit) => {
      await visit.settled();
      const moving = `document.getAnimations().length + [...document.querySelectorAll('*')].filter(
        (each) => getComputedStyle(each).transitionDuration !== '0s').length`;
      assert.equal(await visit.page.evaluate(moving), 0);
    }));

  test('asks for a key where one is needed, and keeps it for this tab only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lcq-keys-'));
    const apiKeys = join(folder, 'keys.json');
    await writeFile(apiKeys, JSON.stringify({ keys: [{ name: 'me', key: KEY }] }));
    const guarded = await serveModels({ apiKeys });
    const use = async (page: Page, key: string) => {
      await page.locator('#key-dialog[open]').waitFor();
      await page.locator('#key').fill(key);
      await page.keyboard.press('Enter');
    };
    try {
      await visit(
        browser,
        guarded.url,
        { viewport: DESKTOP },
        async (visit) => {
          const { page, settled } = visit;
          await page.locator('#key-dialog[open]').waitFor();
          assert.deepEqual(await visit.violations(), []);
          await use(page, 'not the key');
          await page.getByText('the API key is not valid').first().waitFor();
          await use(page, KEY);
          await settled();
          assert.equal((await firstLabels(page))['resnet20-cifar10-w2a2'], 'ship');
          const kept = '[localStorage.length, document.cookie, sessionStorage.length]';
          assert.deepEqual(await page.evaluate(kept), [0, '', 1]);
          await page.reload();
          await settled();
          await page.locator('#key-button').click();
          await page.getByRole('button', { name: 'Forget it' }).click();
          await page.locator('#key-dialog[open]').waitFor();
          assert.equal(await page.evaluate('sessionStorage.length'), 0);
        },
        // Chromium itself reports each refusal.
        /status of 401/,
      );
    } finally {
      await guarded.stop();
      await rm(folder, { recursive: true });
    }
  });
});
