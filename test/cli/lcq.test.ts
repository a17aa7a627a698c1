import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function lcq(args: readonly string[], nodeOptions: readonly string[] = []) {
  return spawnSync(process.execPath, [...nodeOptions, 'dist/src/cli/lcq.js', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, LCQ_DEBUG: undefined },
  });
}

test('--help lists every command', () => {
  const { status, stdout } = lcq(['--help']);
  assert.equal(status, 0);
  for (const name of ['serve', 'train', 'evaluate', 'report', 'inspect']) {
    assert.match(stdout, new RegExp(`^  ${name} +[A-Z]`, 'm'));
  }
});

test('--help loads no command: the native runtime stays out', () => {
  const noAddOns = ['--no-addons'];
  const { status, stderr } = lcq(['--help'], noAddOns);
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('--version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  assert.equal(lcq(['--version']).stdout, `${version}\n`);
});

test('every listed command can be loaded and has help of its own', () => {
  for (const name of ['serve', 'train', 'evaluate', 'report', 'inspect']) {
    const { status, stdout } = lcq([name, '--help']);
    assert.equal(status, 0, name);
    assert.match(stdout, new RegExp(`^Usage: lcq ${name}`), name);
    assert.equal(lcq(['help', name]).stdout, stdout);
  }
});

test('an unknown command is an error that suggests the near one', () => {
  const { status, stderr } = lcq(['inspct']);
  assert.equal(status, 1);
  assert.match(stderr, /unknown command 'inspct'\n\(Did you mean inspect\?\)/);
});

test('a coded error is one line', () => {
  const { status, stdout, stderr } = lcq(['inspect', 'no-such-file.onnx']);
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^lcq: NOT_FOUND: .*no-such-file\.onnx.*\n$/);
});
