import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const text = readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8');

interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const packages: Readonly<Record<string, LockedPackage>> = JSON.parse(text).packages;

test('the lock names no registry', () => {
  assert.doesNotMatch(text, /"resolved"/);
});

test('the lock holds the optional packages of every platform, or npm ci refuses it', () => {
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
      assert.ok(
        places.some((place) => place in packages),
        `${path} wants ${name}`,
      );
    }
  }
});
