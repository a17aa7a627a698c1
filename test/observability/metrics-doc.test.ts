import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rest, solidImage, withServer } from '../end-to-end/server-under-test.js';

const document = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');

test('docs/operations.md lists every metric that a server has, and no other', () =>
  withServer(async ({ url, metrics }) => {
    await rest(`${url}/v1/models/colours:classify`, await solidImage([255, 0, 0]));
    const exposed = (await metrics()).matchAll(/^# TYPE (lcq_\w+)/gm);
    const listed = document.matchAll(/^\| `(lcq_\w+)` \|/gm);
    const names = (matches: Iterable<RegExpExecArray>) =>
      Array.from(matches, ([, name]) => name).sort();
    assert.deepEqual(names(listed), names(exposed));
  }));
