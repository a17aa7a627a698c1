import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CONFIG_FIELDS } from '../../src/config/schema.js';

const text = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');

/** Defaults that depend on the machine. */
const DESCRIBED: Readonly<Record<string, string>> = {
  modelRepository: 'the packaged models',
  threads: 'the CPU limit',
};

test('docs/operations.md lists every setting with its default and meaning, and no other', () => {
  const rows = text.split('\n').filter((line) => /^\| `[a-z][A-Za-z]+` \|/.test(line));
  const settings = rows.slice(0, CONFIG_FIELDS.length);
  const expected = CONFIG_FIELDS.map(({ field, defaultValue, description }) => {
    const shown = DESCRIBED[field] ?? (defaultValue === '' ? '' : `\`${defaultValue}\``);
    return `| \`${field}\` | ${shown} | ${description} |`;
  });
  assert.deepEqual(settings, expected);
  assert.equal(rows.length, CONFIG_FIELDS.length);
});
