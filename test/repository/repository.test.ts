import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { LcqError } from '../../src/errors.js';
import { type ModelDefinition, ModelRepository } from '../../src/repository/repository.js';

/** All models by name and then by version, highest first. */
async function scan(root: string): Promise<ModelDefinition[]> {
  const repository = new ModelRepository(root);
  const names = await repository.names();
  const models = await Promise.all(names.map((name) => repository.read(name)));
  return models.flatMap((versions) => versions.reverse());
}

const CONFIG = {
  task: 'classification',
  input: { name: 'image', layout: 'NHWC', width: 32, height: 32 },
  output: { name: 'logits', activation: 'softmax' },
};

type Files = Record<string, string | { link: string }>;

const modelFiles = (name: string, config: object = CONFIG): Files => ({
  [`${name}/config.json`]: JSON.stringify(config),
  [`${name}/1/model.onnx`]: 'model',
});

async function withFiles<T>(files: Files, use: (root: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-repository-'));
  const root = join(folder, 'models');
  try {
    await mkdir(root);
    await writeFile(join(folder, 'outside.txt'), 'secret');
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      if (typeof content === 'string') await writeFile(join(root, path), content);
      else await symlink(content.link, join(root, path));
    }
    return await use(root);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LcqError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test('each model is read with its highest version, its labels and the defaults of its config', () =>
  withFiles(
    {
      ...modelFiles('tiny', { ...CONFIG, labels: 'labels.txt' }),
      'tiny/2/model.onnx': 'model',
      'tiny/10/model.onnx': 'model',
      'tiny/old/model.onnx': 'not a version',
      'tiny/labels.txt': 'cat\r\ndog \nbig bird\n',
      ...modelFiles('other'),
      'README.md': 'skipped',
      '.hidden/config.json': 'skipped',
    },
    async (root) => {
      const [other, tiny] = await scan(root);
      assert.equal(other.name, 'other');
      assert.deepEqual(other.labels, []);
      assert.equal(tiny.version, '10');
      assert.match(tiny.modelPath, /tiny\/10\/model\.onnx$/);
      assert.deepEqual(tiny.labels, ['cat', 'dog', 'big bird']);
      assert.equal(tiny.config.input.resize, 'cover');
      assert.equal(tiny.config.maxBatchSize, 32);
    },
  ));

test('a link inside the repository is followed, one that leaves it is refused', async () => {
  const linked = { ...modelFiles('a', { ...CONFIG, labels: 'labels.txt' }) };
  await withFiles(
    { ...linked, 'a/classes': 'x', 'a/labels.txt': { link: 'classes' } },
    async (root) => assert.deepEqual((await scan(root))[0].labels, ['x']),
  );
  await withFiles({ ...linked, 'a/labels.txt': { link: '../../outside.txt' } }, async (root) =>
    assert.rejects(scan(root), refused('INVALID_ARGUMENT', /a\/labels\.txt is a link that leaves/)),
  );
});

test('what is missing is NOT_FOUND by name', async () => {
  const { 'a/1/model.onnx': _, ...noVersion } = modelFiles('a');
  const cases: [Files, RegExp][] = [
    [{ 'a/1/model.onnx': 'model' }, /^a\/config\.json is missing/],
    [noVersion, /model 'a' has no version folder/],
    [{ ...noVersion, 'a/1/other.onnx': '' }, /^a\/1\/model\.onnx is missing/],
    [modelFiles('a', { ...CONFIG, labels: 'labels.txt' }), /^a\/labels\.txt is missing/],
  ];
  for (const [files, message] of cases) {
    await withFiles(files, (root) => assert.rejects(scan(root), refused('NOT_FOUND', message)));
  }
  await assert.rejects(scan('/nonexistent/models'), refused('NOT_FOUND', /cannot be read/));
});

test('a wrong config is refused by file and field', async () => {
  const { task, input, output } = CONFIG;
  const cases: [object, RegExp][] = [
    [{ input, output }, /^a\/config\.json: task: /],
    [{ task, output }, /^a\/config\.json: input: /],
    [{ task, input: { ...input, width: 0 }, output }, /^a\/config\.json: input\.width: /],
    [{ task, input: { ...input, layout: 'HWC' }, output }, /^a\/config\.json: input\.layout: /],
    [
      { task, input: { ...input, normalization: { mean: [0, 0], std: [1, 1, 1] } }, output },
      /input\.normalization\.mean: /,
    ],
    [
      { task, input: { ...input, normalization: { mean: [0, 0, 0], std: [1, 0, 1] } }, output },
      /input\.normalization\.std\.1: /,
    ],
    [
      { ...CONFIG, labels: '../outside.txt' },
      /^a\/config\.json: labels: must be a plain file name/,
    ],
    [{ ...CONFIG, maxBatchSise: 4 }, /maxBatchSise/],
    [{ ...CONFIG, batching: { queueCapacity: 0 } }, /batching\.queueCapacity: /],
  ];
  for (const [config, message] of cases) {
    await withFiles(modelFiles('a', config), (root) =>
      assert.rejects(scan(root), refused('INVALID_ARGUMENT', message)),
    );
  }
  await withFiles({ ...modelFiles('a'), 'a/config.json': '{' }, (root) =>
    assert.rejects(scan(root), refused('INVALID_ARGUMENT', /^a\/config\.json is not JSON/)),
  );
  await withFiles(modelFiles('two words'), (root) =>
    assert.rejects(scan(root), refused('INVALID_ARGUMENT', /model folder "two words"/)),
  );
});
