import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { ERROR_CODES, type ErrorCode } from '../../src/errors.js';
import { rest, withServer } from '../end-to-end/server-under-test.js';
import { assertValid, CONTRACT_FILE, contract } from './contract.js';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

test('the document is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(await readFile(CONTRACT_FILE, 'utf8'));
  assert.ok(valid, JSON.stringify(errors));
});

test('every example is valid by its own schema', () => {
  let examples = 0;
  const visit = (node: unknown, place: string): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('example' in node && 'schema' in node) {
      assertValid(node.schema as object, node.example, place);
      examples += 1;
    }
    for (const [key, child] of Object.entries(node)) visit(child, `${place}/${key}`);
  };
  visit(contract, '#');
  assert.ok(examples > 20);
});

test('every error code is documented with its own status, and no other', () => {
  assert.deepEqual(
    Object.keys(contract.components.responses).sort(),
    Object.keys(ERROR_CODES).sort(),
  );
  const text = JSON.stringify(contract);
  for (const [code, { http }] of Object.entries(ERROR_CODES)) {
    assert.ok(text.includes(`| ${code} | ${http} |`), `${code} stands in the table as ${http}`);
  }
  for (const [path, methods] of Object.entries(contract.paths)) {
    for (const { responses = {} } of Object.values(methods)) {
      for (const [status, response] of Object.entries(responses)) {
        if (status === '200') continue;
        const code = (response as { $ref: string }).$ref.split('/').at(-1) as ErrorCode;
        assert.equal(String(ERROR_CODES[code].http), status, `${path}: ${code}`);
      }
    }
  }
});

/** The routes of a server, pages for people aside, as paths of the contract. */
async function registeredPaths<T>(use: () => Promise<T>): Promise<Set<string>> {
  const urls = new Set<string>();
  const onRoute = ({ url, schema }: RouteOptions) => {
    if (schema?.hide !== true) urls.add(url);
  };
  const onServer = (message: unknown) => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', onRoute);
  };
  subscribe('fastify.initialization', onServer);
  try {
    await use();
  } finally {
    unsubscribe('fastify.initialization', onServer);
  }
  const paths = [...urls].map((url) => url.replace(/(?<!:):(\w+)(\(.*?\))?/g, '{$1}'));
  return new Set(paths.map((path) => path.replace('::', ':')));
}

test('the server has the paths and methods of the document, and no others', async () => {
  const paths = await registeredPaths(() =>
    withServer(
      async ({ url }) => {
        for (const [path, operations] of Object.entries(contract.paths)) {
          const place = path.replace('{model}', 'colours').replace('{version}', '3');
          for (const method of METHODS) {
            const { status } = await rest(`${url}${place}`, undefined, { method });
            const isDocumented = method.toLowerCase() in operations;
            assert.equal(status !== 405, isDocumented, `${method} ${path} gives ${status}`);
          }
        }
      },
      { playground: false },
    ),
  );
  assert.deepEqual([...paths].sort(), Object.keys(contract.paths).sort());
});

test('/docs is a page that needs nobody else, and no key; /docs/openapi.json is the document', () =>
  withServer(async ({ url }) => {
    const page = await rest(`${url}/docs`);
    assert.equal(page.status, 200);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|https?:/);
    const html = page.bytes.toString();
    assert.doesNotMatch(html, /<script(?! src)|<style|\son[a-z]+=|\sstyle=/);
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    assert.ok(links.length >= 5);
    for (const link of links) {
      assert.match(link, /^\/docs\//);
      assert.equal((await rest(`${url}${link}`)).status, 200, link);
    }
    const document = await rest(`${url}/docs/openapi.json`);
    assert.deepEqual(JSON.parse(document.bytes.toString()), contract);
    const missing = await rest(`${url}/docs/static/none.js`);
    assert.deepEqual([missing.status, missing.json.code], [404, 'NOT_FOUND']);
  }));
