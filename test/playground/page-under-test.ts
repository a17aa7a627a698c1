import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { configSchema, type ServerConfig } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { writeBlockDetector } from '../end-to-end/block-detector.js';
import { TEST_SETTINGS } from '../end-to-end/server-under-test.js';

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
/** Where screenshots go; not committed. */
export const SHOTS = fileURLToPath(new URL('../../../build/playground/', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Nothing of its own that would go out to the network. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: QUIET });

/** Serves the embedded models and the detector of coloured blocks; resolves to the address and what stops it. */
export async function serveModels(settings: Partial<ServerConfig> = {}) {
  const modelRepository = await mkdtemp(join(tmpdir(), 'lcq-playground-'));
  await cp(MODELS, modelRepository, { recursive: true });
  await writeBlockDetector(modelRepository);
  const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository, ...settings });
  const server = new ModelServer(config, { log: createLogger('silent') });
  const { http } = await server.listen();
  await server.load();
  const stop = async () => {
    await server.close();
    await rm(modelRepository, { recursive: true });
  };
  return { url: `http://127.0.0.1:${http}`, stop };
}

export interface Visit {
  readonly page: Page;
  /** Waits until all runs of the picture and models chosen last are done. */
  settled(): Promise<void>;
  /** Takes a picture of the whole page, into build/playground/. */
  shoot(name: string): Promise<void>;
  /** Rules of accessibility that the page breaks, as it stands. */
  violations(): Promise<string[]>;
}

/** Opens the page and, when `use` is done, checks that it said nothing on the console and asked nobody else. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  use: (visit: Visit) => Promise<void>,
  expected: RegExp = /^$/,
): Promise<void> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const noise: string[] = [];
  page.on('console', (message) => noise.push(message.text()));
  page.on('pageerror', (error) => noise.push(error.message));
  page.on('request', (request) => {
    const target = request.url();
    if (!target.startsWith(`${url}/`) && !target.startsWith('blob:')) noise.push(target);
  });
  await page.addInitScript({
    content: `addEventListener('securitypolicyviolation',
      (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI));`,
  });
  try {
    await page.goto(`${url}/`);
    await use({
      page,
      settled: async () => {
        await page.locator('#answers[aria-busy="false"]').waitFor({ timeout: 60_000 });
      },
      shoot: async (name) => {
        await mkdir(SHOTS, { recursive: true });
        const shot = sharp(await page.screenshot({ fullPage: true }));
        await shot.png({ palette: true, effort: 10 }).toFile(join(SHOTS, `${name}.png`));
      },
      violations: () => violations(page),
    });
    assert.deepEqual(
      noise.filter((text) => !expected.test(text)),
      [],
    );
  } finally {
    await context.close();
  }
}

/** Rules of accessibility that a page breaks, as it stands. */
export async function violations(page: Page): Promise<string[]> {
  // By the debugger: the page's own policy lets no such script in.
  await page.evaluate(AXE);
  const found = (await page.evaluate('axe.run()')) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}
