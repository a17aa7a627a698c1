import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Addon } from '../../src/runtime/addon.js';

const require = createRequire(import.meta.url);
const addonPath = fileURLToPath(new URL('../../../build/lcq.node', import.meta.url));

describe('the add-on', () => {
  // Nothing in this file loads the real library first: a process has one.
  const addon: Addon = require(addonPath);

  test('refuses a library that is not there', () => {
    assert.throws(() => addon.load('/no/such/library.so'), /cannot use .*\/no\/such\/library\.so/);
  });

  test('refuses a library that is not ONNX Runtime', () => {
    assert.throws(() => addon.load(addonPath), /it has no OrtGetApiBase/);
  });

  test('opens no session before the library is loaded', async () => {
    const options = { threads: 1, kernels: '', config: {}, profile: '' };
    await assert.rejects(addon.createSession(Uint8Array.of(1), options), /not loaded/);
  });

  test('says how to build it where it is not built', async () => {
    const clone = mkdtempSync(join(tmpdir(), 'lcq-'));
    try {
      const compiled = fileURLToPath(new URL('../../src/', import.meta.url));
      for (const folder of ['lcq', 'runtime']) {
        cpSync(join(compiled, folder), join(clone, 'dist/src', folder), { recursive: true });
      }
      cpSync(join(compiled, 'errors.js'), join(clone, 'dist/src/errors.js'));
      cpSync(join(compiled, '../../package.json'), join(clone, 'package.json'));
      const session = join(clone, 'dist/src/runtime/lcq-session.js');
      const { createLcqSession } = await import(pathToFileURL(session).href);
      await assert.rejects(createLcqSession(Uint8Array.of(1)), {
        code: 'UNAVAILABLE',
        message: /no native add-on for .*: npx lcq setup builds it/,
      });
    } finally {
      rmSync(clone, { recursive: true });
    }
  });
});
