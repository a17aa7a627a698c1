import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { openModelFile } from '../../src/runtime/model-file.js';
import { standardModel } from './models.js';

async function withModelFile(use: (path: string, sha256: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-model-'));
  try {
    const path = join(folder, 'model.onnx');
    const bytes = standardModel('Add', 'float32');
    await writeFile(path, bytes);
    await use(path, createHash('sha256').update(bytes).digest('hex'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a model opens from the bytes that were looked at, and from no others', () =>
  withModelFile(async (path, sha256) => {
    const session = await openModelFile({ path, sha256 }, 1);
    assert.deepEqual(
      session.inputs.map(({ name }) => name),
      ['X'],
    );
    await session.dispose();
    await writeFile(path, 'others');
    const message = 'the model file has changed since it was looked at';
    await assert.rejects(openModelFile({ path, sha256 }, 1), { code: 'NOT_FOUND', message });
  }));

test('a file is not hashed on the thread that answers requests', () =>
  withModelFile(async (path, sha256) => {
    const update = mock.method(Object.getPrototypeOf(createHash('sha256')) as Hash, 'update');
    const session = await openModelFile({ path, sha256 }, 1);
    update.mock.restore();
    assert.equal(update.mock.callCount(), 0);
    await session.dispose();
  }));
