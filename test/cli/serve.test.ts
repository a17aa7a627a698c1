import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CONFIG_FIELDS } from '../../src/config/schema.js';

const LCQ = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [LCQ, 'serve', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });

test('lcq serve --help lists every setting with its flag and variable', () => {
  const { status, stdout } = run(['--help']);
  assert.equal(status, 0);
  for (const { flag, variable } of CONFIG_FIELDS) {
    assert.ok(stdout.includes(`${flag} <value>`), flag);
    assert.ok(stdout.includes(variable), variable);
  }
});

test('a wrong setting is one sentence that names it, and status 1', () => {
  const flag = run(['--http-port', 'eighty']);
  assert.equal(flag.status, 1);
  assert.match(flag.stderr, /^lcq: INVALID_ARGUMENT: --http-port: .*\n$/);
  const variable = run([], { LCQ_THREADS: '0' });
  assert.equal(variable.status, 1);
  assert.match(variable.stderr, /^lcq: INVALID_ARGUMENT: LCQ_THREADS: .*\n$/);
});

test('a repository that is not there is one sentence, and status 1', () => {
  const ports = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
  const { status, stderr } = run([
    '--host',
    '127.0.0.1',
    ...ports,
    '--model-repository',
    'nowhere',
  ]);
  assert.equal(status, 1);
  assert.equal(stderr, 'lcq: NOT_FOUND: the model repository nowhere cannot be read\n');
});
