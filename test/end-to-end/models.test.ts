import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { rest, TEST_SETTINGS, withServer } from './server-under-test.js';

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const bytesOf = (name: string) => statSync(`${MODELS}${name}/1/model.onnx`).size;

/** Runs a server of the embedded models, in `workers` processes. */
async function withEmbeddedModels(workers: number, use: (url: string) => Promise<void>) {
  const server = new ModelServer(configSchema.parse({ ...TEST_SETTINGS, workers }), {
    log: createLogger('silent'),
  });
  const { http } = await server.listen();
  try {
    await server.load();
    await use(`http://127.0.0.1:${http}/v1/models`);
  } finally {
    await server.close();
  }
}

describe('what a server tells of its models', () => {
  for (const workers of [0, 1]) {
    test(`comes from the files that run, with ${workers} workers`, () =>
      withEmbeddedModels(workers, async (url) => {
        const { status, json } = await rest(url);
        assert.equal(status, 200);
        const find = (wanted: string) =>
          json.models.find(({ name }: { name: string }) => name === wanted);
        const common = { version: '1', task: 'classification', input: { width: 32, height: 32 } };
        const [fp32, w2a2] = ['resnet20-cifar10-fp32', 'resnet20-cifar10-w2a2'];
        assert.deepEqual(find(fp32), { name: fp32, ...common, bytes: bytesOf(fp32) });
        const bits = { weights: 2, activations: 2 };
        assert.deepEqual(find(w2a2), { name: w2a2, ...common, bytes: bytesOf(w2a2), bits });
        assert.deepEqual((await rest(`${url}/${fp32}`)).json.layers, []);

        const { json: described } = await rest(`${url}/${w2a2}/versions/1`);
        assert.deepEqual(described, (await rest(`${url}/${w2a2}`)).json);
        assert.equal(described.labels[8], 'ship');
        assert.equal(described.layers.length, 20);
        const [first, second] = described.layers;
        assert.equal(first.weights.bits, 8);
        assert.equal(first.activations.compander, undefined);
        assert.deepEqual(second.weightShape, [16, 3, 3, 16]);
        assert.deepEqual(second.weights.levels, [-1, 0, 1]);
        assert.deepEqual(second.activations.levels, [0, 12, 26, 42]);
        // By hand from theta in the file: the softmax of its 16 entries, summed.
        const { curve, thresholds } = second.activations.compander;
        assert.equal(curve.length, 17);
        assert.ok(Math.abs(curve[8] - 0.54041) < 1e-5 && curve[16] === 1, `${curve}`);
        assert.equal(thresholds.length, 3);
      }));
  }

  test('is said of versions that are there, and leaves verbs alone', () =>
    withServer(async ({ url }) => {
      const { json } = await rest(`${url}/v1/models/colours`);
      assert.deepEqual([json.name, json.version], ['colours', '3']);
      assert.deepEqual(json.labels, ['red', 'green', 'blue']);
      const asked = async (path: string, init: RequestInit = {}) =>
        (await rest(`${url}/v1/models${path}`, undefined, init)).status;
      assert.equal(await asked('/none'), 404);
      assert.equal(await asked('/colours/versions/9'), 404);
      assert.equal(await asked('/colours:unknown'), 404);
      assert.equal(await asked('/colours:classify'), 405);
      assert.equal(await asked('/colours', { method: 'DELETE' }), 405);
    }));
});
