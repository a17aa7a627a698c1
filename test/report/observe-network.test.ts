import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Model } from '../../src/onnx/graph.js';
import { decodeModel } from '../../src/onnx/serde.js';
import { Baseline } from '../../src/report/baseline.js';
import { layerReports } from '../../src/report/layer-report.js';
import { observeNetwork } from '../../src/report/observe-network.js';
import { quantizedLayers } from '../../src/report/quantized-layer.js';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import { Random } from '../../src/training/random.js';

const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const COUNT = 4;
const settings = { batch: 2, threads: 1, seed: 1 };

const read = (kind: string) =>
  readFile(join(MODELS, `resnet20-cifar10-${kind}`, '1', 'model.onnx'));

const random = new Random(5);
const pixels = Uint8Array.from({ length: COUNT * 32 * 32 * 3 }, () => random.integer(256));
const images = { shape: [32, 32, 3], count: COUNT, data: Float32Array.from(pixels) };

async function logitsOf(bytes: Uint8Array): Promise<Float32Array> {
  const session = await createLcqSession(bytes);
  const image = { datatype: 'UINT8' as const, shape: [COUNT, 32, 32, 3], data: pixels };
  const { logits } = await session.run({ image });
  await session.dispose();
  return logits.data as Float32Array;
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + v * b[i], 0);

describe('a quantized network beside its baseline', () => {
  let model: Model;
  let baseline: Baseline;
  before(async () => {
    model = decodeModel(await read('w4a4'));
    baseline = new Baseline(decodeModel(await read('fp32')));
  });

  test('the SQNR of its output is that of the two models, run on their own', async () => {
    const observed = await observeNetwork(
      model,
      quantizedLayers(model),
      baseline,
      images,
      settings,
    );
    const [x, q] = [await logitsOf(await read('fp32')), await logitsOf(await read('w4a4'))];
    const noise = dot(x, x) - dot(x, q) ** 2 / dot(q, q);
    const sqnr = observed.get('logits')?.errors?.sqnr() as number;
    assert.ok(Math.abs(sqnr - 10 * Math.log10(dot(x, x) / noise)) < 0.01, `${sqnr}`);
  });

  test('every layer has its counterpart, by its own name or that of its output', () => {
    for (const layer of quantizedLayers(model)) {
      assert.ok(baseline.layer(layer), layer.node.name);
    }
  });

  test('every code is counted once, of the pictures that were seen', async () => {
    const layers = quantizedLayers(model);
    const seen: number[] = [];
    const observed = await observeNetwork(model, layers, undefined, images, settings, (done) =>
      seen.push(done),
    );
    const codes = observed.get('stem.relu.quantized')?.codeCounts as Float64Array;
    assert.equal(
      codes.reduce((a, b) => a + b, 0),
      COUNT * 32 * 32 * 16,
    );
    assert.deepEqual(seen, [2, 4]);
  });

  test('a quantizer that did not make the levels of a layer is not drawn', () => {
    const rows = JSON.parse(model.metadata['lcq.quantizers']);
    for (const row of rows) row.theta = row.theta.map((_: number, k: number) => k);
    const lying = { ...model, metadata: { 'lcq.quantizers': JSON.stringify(rows) } };
    const reports = (of: Model) => layerReports(of, quantizedLayers(of), baseline, new Map());
    const drawn = (of: Model) => reports(of).filter(({ input }) => input?.compander).length;
    assert.equal(drawn(model), 18);
    assert.equal(drawn(lying), 0);
  });
});
