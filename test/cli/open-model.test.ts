import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findModel } from '../../src/cli/open-model.js';

const CONFIG = {
  task: 'classification',
  input: { name: 'image', layout: 'NHWC', width: 8, height: 8 },
  output: { name: 'logits', activation: 'softmax' },
  versions: { policy: 'all' },
};

test('a model folder is found by its newest version, whatever lies beside it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lcq-open-model-'));
  try {
    for (const version of ['2', '10']) {
      await mkdir(join(root, 'finished', version), { recursive: true });
      await writeFile(join(root, 'finished', version, 'model.onnx'), 'model');
    }
    await writeFile(join(root, 'finished', 'config.json'), JSON.stringify(CONFIG));
    await mkdir(join(root, 'unfinished'));

    const { name, version } = await findModel(join(root, 'finished'));
    assert.deepEqual([name, version], ['finished', '10']);
    const missing = { code: 'NOT_FOUND', message: /unfinished\/config\.json is missing/ };
    await assert.rejects(findModel(join(root, 'unfinished')), missing);
  } finally {
    await rm(root, { recursive: true });
  }
});
