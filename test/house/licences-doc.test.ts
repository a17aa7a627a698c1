import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);
const document = readFileSync(new URL('docs/licences.md', root), 'utf8');

test('docs/licences.md lists every production package of the lock, and no other', () => {
  const script = fileURLToPath(new URL('scripts/list-licences.mjs', root));
  const [, listed] = document.split('| --- | --- | --- |\n');
  assert.equal(listed, execFileSync(process.execPath, [script], { encoding: 'utf8' }));
});

test('every one of them has a licence', () => {
  assert.doesNotMatch(document, /\| (undefined|UNLICENSED|SEE LICENSE IN .*) \|$/m);
});
