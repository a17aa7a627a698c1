import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { interpret } from '../../src/onnx/interpreter.js';
import { decodeModel } from '../../src/onnx/serde.js';
import { verifyModel } from '../../src/onnx/verifier.js';
import { summarize } from '../../src/quantization/summary.js';
import { createLcqSession, listKernels } from '../../src/runtime/lcq-session.js';
import { Random } from '../../src/training/random.js';

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const COUNT = 4;
const SHAPE = [COUNT, 32, 32, 3];

/** Smooth blobs and noise: pictures unlike any training image, which every way to run a network must agree on. */
function pictures(): Uint8Array {
  const random = new Random(7);
  const waves = Array.from({ length: COUNT * 3 }, () => [random.normal(), random.normal()]);
  return Uint8Array.from({ length: COUNT * 32 * 32 * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % 32, Math.floor(i / 96) % 32];
    const [fx, fy] = waves[Math.floor(i / 3072) * 3 + c];
    return Math.round(128 + 90 * Math.sin((fx * x + fy * y) / 4) + random.integer(30));
  });
}

for (const bits of [2, 3, 4, 8]) embeddedModel(bits);

function embeddedModel(expected: number): void {
  describe(`the embedded ${expected}-bit ResNet-20`, () => {
    const folder = join(MODELS, `resnet20-cifar10-w${expected}a${expected}`);
    const path = join(folder, '1', 'model.onnx');
    const image = { datatype: 'UINT8' as const, shape: SHAPE, data: pictures() };
    let bytes: Buffer;
    let reference: Float32Array;
    before(async () => {
      bytes = await readFile(path);
      const feeds = { image: { shape: SHAPE, data: image.data } };
      reference = interpret(decodeModel(bytes), feeds).logits.data as Float32Array;
    });

    test(`has a card, and at most ${expected}.1 bits a weight between its 8-bit ends`, async () => {
      await access(join(folder, 'README.md'));
      const model = decodeModel(bytes);
      verifyModel(model);
      const { layers } = summarize(model);
      const inner = layers.slice(1, -1);
      assert.equal(inner.length, 18);
      for (const { name, bits, bitsPerWeight } of inner) {
        assert.equal(bits, expected, name);
        assert.ok(bitsPerWeight <= expected + 0.1, name);
      }
    });

    test('gives on the stock runtime what the reference gives', async () => {
      const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
      const { logits } = await session.run({ image: new ort.Tensor('uint8', image.data, SHAPE) });
      assert.deepEqual(logits.data, reference);
      await session.release();
    });

    for (const { name } of listKernels().filter(({ available }) => available)) {
      test(`gives on ${name} kernels what the reference gives`, async () => {
        const session = await createLcqSession(path, { kernels: name, intraOpThreads: 2 });
        assert.deepEqual((await session.run({ image })).logits.data, reference);
        await session.dispose();
      });
    }
  });
}
