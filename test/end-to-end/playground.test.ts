import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rest, withServer } from './server-under-test.js';

const POLICY: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'blob:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Paths that a text names as sources: of elements, and of modules. */
function references(text: string): string[] {
  const found = text.matchAll(/(?:src|href)="([^"]+)"|from '([^']+)'/g);
  return [...found].map(([, source, module]) => source ?? module);
}

test('the playground and all that it names come from the server, under a strict policy', () =>
  withServer(async ({ url }) => {
    const seen = new Set<string>();
    const toVisit = [`${url}/`];
    for (const address of toVisit) {
      if (seen.has(address)) continue;
      seen.add(address);
      const { status, type, headers, bytes } = await rest(address);
      assert.equal(status, 200, address);
      assert.match(type ?? '', /^(text\/(html|css|javascript); charset=utf-8|image\/svg\+xml)$/);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('referrer-policy'), 'no-referrer');
      const directives = (headers.get('content-security-policy') ?? '').split('; ');
      const policy = Object.fromEntries(
        directives.map((directive) => {
          const [name, ...sources] = directive.split(' ');
          return [name, sources];
        }),
      );
      assert.deepEqual(policy, POLICY);
      for (const path of references(bytes.toString())) {
        const target = new URL(path, address);
        assert.equal(target.origin, url, `${path} in ${address}`);
        toVisit.push(target.href);
      }
    }
    assert.ok(seen.size > 10, [...seen].join(' '));
  }));

test('the page has nothing inline', () =>
  withServer(async ({ url }) => {
    const page = (await rest(`${url}/`)).bytes.toString();
    assert.doesNotMatch(page, /<style|\sstyle=|\son[a-z]+=|javascript:/i);
    assert.equal(page.match(/<script/g)?.length, 1);
    assert.match(page, /<script type="module" src="[^"]+"><\/script>/);
  }));

test('an unchanged file is not sent again', () =>
  withServer(async ({ url }) => {
    const first = await rest(`${url}/playground/app.js`);
    const etag = first.headers.get('etag') as string;
    const again = { headers: { 'if-none-match': etag } };
    const second = await rest(`${url}/playground/app.js`, undefined, again);
    assert.deepEqual([second.status, second.bytes.length], [304, 0]);
    assert.equal(second.headers.get('etag'), etag);
    const other = { headers: { 'if-none-match': '"another"' } };
    assert.equal((await rest(`${url}/playground/app.js`, undefined, other)).status, 200);
    const head = await rest(`${url}/`, undefined, { method: 'HEAD' });
    assert.deepEqual([head.status, head.bytes.length], [200, 0]);
    assert.equal((await rest(`${url}/`, 'a body')).status, 405);
  }));

test('nothing else is served from there', () =>
  withServer(async ({ url }) => {
    const paths = ['playground/', 'playground/tsconfig.json', 'playground/..%2fserver.js'];
    for (const path of [...paths, 'playground/samples', 'playground/index.html', 'index.html']) {
      assert.equal((await rest(`${url}/${path}`)).status, 404, path);
    }
  }));

test('it can be switched off', () =>
  withServer(
    async ({ url }) => {
      assert.equal((await rest(`${url}/`)).status, 404);
      assert.equal((await rest(`${url}/playground/app.js`)).status, 404);
      assert.equal((await rest(`${url}/v1/models`)).status, 200);
    },
    { playground: false },
  ));

test('where callers need keys, the page can be had without one, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-keys-'));
  try {
    const apiKeys = join(folder, 'keys.json');
    await writeFile(
      apiKeys,
      JSON.stringify({ keys: [{ name: 'me', key: 'a-key-of-16-characters' }] }),
    );
    await withServer(
      async ({ url }) => {
        assert.equal((await rest(`${url}/`)).status, 200);
        assert.equal((await rest(`${url}/playground/app.js`)).status, 200);
        for (const path of ['/v1/models', '/v1/models/colours', '/playground/none', '/v2']) {
          assert.equal((await rest(`${url}${path}`)).status, 401, path);
        }
        const headers = { 'x-api-key': 'a-key-of-16-characters' };
        assert.equal((await rest(`${url}/v1/models`, undefined, { headers })).status, 200);
      },
      { apiKeys },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
