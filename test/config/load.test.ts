import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.js';
import { CONFIG_FIELDS } from '../../src/config/schema.js';
import { LcqError } from '../../src/errors.js';

function withFile<T>(text: string, use: (file: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'lcq-config-'));
  try {
    const file = join(folder, 'server.json');
    writeFileSync(file, text);
    return use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof LcqError && error.code === code && message.test(error.message);

test('without any source the defaults stand', () => {
  const config = loadConfig({ environment: {}, flags: {} });
  assert.deepEqual([config.httpPort, config.grpcPort, config.metricsPort], [8000, 8001, 8002]);
  assert.equal(config.host, '0.0.0.0');
  assert.match(config.modelRepository, /models\/$/);
  assert.ok(config.threads >= 1);
});

test('the file is under the environment, and that under the flags', () =>
  withFile('{"httpPort": 1, "grpcPort": 1, "metricsPort": 1}', (file) => {
    const config = loadConfig({
      file,
      environment: { LCQ_GRPC_PORT: '2', LCQ_METRICS_PORT: '2', UNRELATED: 'x' },
      flags: { metricsPort: '3', host: undefined },
    });
    assert.deepEqual([config.httpPort, config.grpcPort, config.metricsPort], [1, 2, 3]);
  }));

test('every field has a flag, a variable and a description', () => {
  for (const { field, flag, variable, description } of CONFIG_FIELDS) {
    assert.match(flag, /^--[a-z]+(-[a-z]+)*$/);
    assert.match(variable, /^LCQ_[A-Z]+(_[A-Z]+)*$/);
    assert.ok(description.length > 0, field);
  }
  const http = CONFIG_FIELDS.find(({ field }) => field === 'httpPort');
  assert.equal(http?.flag, '--http-port');
  assert.equal(http?.variable, 'LCQ_HTTP_PORT');
});

test('errors name the field and where it came from', () => {
  for (const port of ['', ' ', 'http', '80.5', '-1', '65536', '0x', 'Infinity']) {
    const sources = { environment: { LCQ_HTTP_PORT: port }, flags: {} };
    assert.throws(() => loadConfig(sources), refused('INVALID_ARGUMENT', /^LCQ_HTTP_PORT: /));
  }
  const flags = { logLevel: 'loud' };
  assert.throws(
    () => loadConfig({ environment: {}, flags }),
    refused('INVALID_ARGUMENT', /^--log-level: .*\(got "loud"\)$/),
  );
  withFile('{"httpPort": true}', (file) =>
    assert.throws(
      () => loadConfig({ file, environment: {}, flags: {} }),
      refused('INVALID_ARGUMENT', /^"httpPort" in .*server\.json: /),
    ),
  );
});

test('a file that is missing, not JSON, no object or has unknown fields is refused', () => {
  const load = (file: string) => () => loadConfig({ file, environment: {}, flags: {} });
  assert.throws(load('/nonexistent/server.json'), refused('NOT_FOUND', /cannot be read/));
  for (const [text, message] of [
    ['{', /is not JSON/],
    ['[]', /must hold one JSON object/],
    ['null', /must hold one JSON object/],
    ['{"httpPrt": 1}', /httpPrt/],
  ] as const) {
    withFile(text, (file) => assert.throws(load(file), refused('INVALID_ARGUMENT', message)));
  }
});
