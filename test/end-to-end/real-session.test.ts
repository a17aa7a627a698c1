import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import type { Prediction } from '../../src/serving/classification.js';
import { GrpcClient, rest, solidImage, TEST_SETTINGS } from './server-under-test.js';
import { LABELS, withUntrainedNetwork } from './untrained-network.js';

test('the real runtime behind the server: both transports give what the session gives', () =>
  withUntrainedNetwork(async (modelRepository, modelPath) => {
    const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository });
    const server = new ModelServer(config, { log: createLogger('silent') });
    const ports = await server.listen();
    const inference = new GrpcClient('inference.GRPCInferenceService', ports.grpc);
    const session = await createLcqSession(modelPath);
    try {
      await server.load();
      const data = Uint8Array.from({ length: 3 * 768 }, (_, i) => (i * 37) % 256);
      const shape = [3, 16, 16, 3];
      const { logits } = await session.run({ image: { datatype: 'UINT8', shape, data } });
      const reply = await inference.call('ModelInfer', {
        model_name: 'net',
        inputs: [{ name: 'image', datatype: 'UINT8', shape }],
        raw_input_contents: [data],
      });
      assert.deepEqual(reply.outputs[0].shape, [3, LABELS.length]);
      const [raw] = reply.raw_output_contents as [Buffer];
      assert.deepEqual(new Float32Array(Uint8Array.from(raw).buffer), logits.data);

      const url = `http://127.0.0.1:${ports.http}/v1/models/net:classify`;
      const images = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((i) => solidImage([i * 40, 255 - i * 40, i], 'png', 16, 16)),
      );
      const alone: Prediction[][] = [];
      for (const image of images) alone.push((await rest(url, image)).json.predictions);
      const together = await Promise.all(images.map((image) => rest(url, image)));
      together.forEach(({ json }, i) => {
        const predictions: Prediction[] = json.predictions;
        for (const [k, { index, score }] of predictions.entries()) {
          assert.equal(index, alone[i][k].index);
          // Stock fp32 kernels may add in another order in a batch of another size.
          assert.ok(Math.abs(score - alone[i][k].score) < 1e-5);
        }
      });
    } finally {
      inference.close();
      await session.dispose();
      await server.close();
    }
  }));
