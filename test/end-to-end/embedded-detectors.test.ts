import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import { decodeModel } from '../../src/onnx/serde.js';
import { verifyModel } from '../../src/onnx/verifier.js';
import { summarize } from '../../src/quantization/summary.js';
import { createLcqSession, listKernels } from '../../src/runtime/lcq-session.js';
import { rest, TEST_SETTINGS } from './server-under-test.js';

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const NAMES = ['blood-cells-fp32', 'blood-cells-w4a4', 'blood-cells-w2a2'];
const [WIDTH, HEIGHT] = [640, 480];
/** Where the white cell is drawn. */
const WHITE = { x: 230, y: 140, width: 180, height: 180 };

/** A smear as a child would draw it: red cells around a white one, whose nucleus is violet. */
function smear() {
  const disc = (x: number, y: number, r: number, fill: string) =>
    `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"/>`;
  const red = [
    [80, 90],
    [90, 370],
    [540, 110],
    [550, 360],
    [320, 420],
  ].map(([x, y]) => disc(x, y, 50, '#c89090') + disc(x, y, 16, '#d8b0b0'));
  const white = disc(320, 230, 90, '#b090b8') + disc(320, 230, 70, '#5a3f98');
  const size = `width="${WIDTH}" height="${HEIGHT}"`;
  const svg = `<svg ${size}><rect ${size} fill="#d8d4cc"/>${red.join('')}${white}</svg>`;
  return sharp(Buffer.from(svg)).removeAlpha();
}

for (const bits of [4, 2]) {
  describe(`the embedded ${bits}-bit detector`, () => {
    const folder = join(MODELS, `blood-cells-w${bits}a${bits}`);
    const path = join(folder, '1', 'model.onnx');
    let bytes: Buffer;
    let pixels: Uint8Array;
    let shape: number[];
    let stock: Float32Array;
    before(async () => {
      bytes = await readFile(path);
      const [, height, width] = decodeModel(bytes).graph.inputs[0].type.shape as number[];
      shape = [1, height, width, 3];
      pixels = await sharp(await smear().png().toBuffer())
        .resize(width, height)
        .raw()
        .toBuffer();
      const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
      const { boxes } = await session.run({ image: new ort.Tensor('uint8', pixels, shape) });
      stock = boxes.data as Float32Array;
      await session.release();
    });

    test(`has a card, and at most ${bits}.1 bits a weight between its 8-bit ends`, async () => {
      await access(join(folder, 'README.md'));
      const model = decodeModel(bytes);
      verifyModel(model);
      const { layers } = summarize(model);
      const inner = layers.slice(1, -1);
      assert.deepEqual([layers[0].bits, layers.at(-1)?.bits, inner.length], [8, 8, 9]);
      for (const layer of inner) {
        assert.equal(layer.bits, bits, layer.name);
        assert.ok(layer.bitsPerWeight <= bits + 0.1, layer.name);
      }
    });

    for (const { name } of listKernels().filter(({ available }) => available)) {
      test(`gives on ${name} kernels what it gives on the stock runtime`, async () => {
        const session = await createLcqSession(path, { kernels: name, intraOpThreads: 1 });
        const image = { datatype: 'UINT8' as const, shape, data: pixels };
        assert.deepEqual((await session.run({ image })).boxes.data, stock);
        await session.dispose();
      });
    }
  });
}

test('a server of the embedded models finds the cells of a drawing with each detector', async () => {
  const log = createLogger('silent');
  const server = new ModelServer(configSchema.parse({ ...TEST_SETTINGS, workers: 0 }), { log });
  const { http } = await server.listen();
  try {
    await server.load();
    const body = await smear().jpeg({ quality: 95 }).toBuffer();
    const headers = { 'content-type': 'image/jpeg' };
    for (const name of NAMES) {
      const url = `http://127.0.0.1:${http}/v1/models/${name}:detect`;
      const { status, json } = await rest(url, undefined, { method: 'POST', headers, body });
      assert.equal(status, 200);
      const labels = json.detections.map(({ label }: { label: string }) => label).sort();
      assert.deepEqual(labels, [...new Array(5).fill('RBC'), 'WBC'], name);
      const white = json.detections.find(({ label }: { label: string }) => label === 'WBC');
      for (const key of ['x', 'y', 'width', 'height'] as const) {
        assert.ok(Math.abs(white.box[key] - WHITE[key]) < 40, `${name}: ${key}`);
      }
    }
  } finally {
    await server.close();
  }
});
