import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { decodeModel, encodeModel } from '../../src/onnx/serde.js';
import { summarize } from '../../src/quantization/summary.js';
import {
  SIZE,
  smallNetwork,
  smallNetworkOfBytes,
} from '../quantization/post-training/small-network.js';

const program = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lcq-quantize-'));
  const opsets = { '': 13 };
  const networks = { model: smallNetwork(1), bytes: smallNetworkOfBytes(1) };
  for (const [name, graph] of Object.entries(networks)) {
    const model = { irVersion: 8, producer: 'test', opsets, graph, functions: [], metadata: {} };
    await writeFile(join(folder, `${name}.onnx`), encodeModel(model));
  }
  for (const label of ['a', 'b']) {
    await mkdir(join(folder, 'images', label), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const pixels = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, p) => (p * (i + 3)) % 251);
      const raw = { width: SIZE, height: SIZE, channels: 3 as const };
      await sharp(pixels, { raw })
        .png()
        .toFile(join(folder, 'images', label, `${i}.png`));
    }
  }
});
after(() => rm(folder, { recursive: true }));

function quantize(...flags: string[]) {
  return quantizeModel('model', ...flags);
}

function quantizeModel(name: string, ...flags: string[]) {
  const paths = [join(folder, `${name}.onnx`), '--data', join(folder, 'images')];
  const args = [program, 'quantize', ...paths, '--out', join(folder, 'net'), '--threads', '1'];
  return spawnSync(process.execPath, [...args, ...flags], { encoding: 'utf8' });
}

test('writes a servable model with its preprocessing and classes, and leaves no state behind', async () => {
  const flags = ['--bits', 'w4a8', '--images', '8', '--batch', '4', '--steps', '2'];
  const result = quantize(...flags, '--mean', '0.4,0.5,0.6');
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stdout, /depthwise/);
  const read = (name: string) => readFile(join(folder, 'net', name));
  const config = JSON.parse(String(await read('config.json')));
  assert.equal(config.input.layout, 'NCHW');
  assert.deepEqual(config.input.normalization.mean, [0.4, 0.5, 0.6]);
  assert.equal(String(await read('labels.txt')), 'a\nb\n');
  const { graph } = decodeModel(await read('1/model.onnx'));
  assert.ok(graph.nodes.every(({ domain }) => domain === 'lcq'));
  await assert.rejects(access(join(folder, 'net', 'reconstruction.onnx')));
});

test('gives layers their own bits under a budget, and the model file tells the settings', async () => {
  const flags = ['--bits', 'w4a8', '--images', '8', '--batch', '4', '--steps', '0'];
  const result = quantize(...flags, '--mixed', '3');
  assert.equal(result.status, 0, result.stderr);
  const bytes = await readFile(join(folder, 'net', '1', 'model.onnx'));
  const { layers, metadata } = summarize(decodeModel(bytes));
  const inner = layers.filter(({ name }) => !['stem', 'classifier'].includes(name));
  const average =
    inner.reduce((sum, { weights, bits }) => sum + weights * bits, 0) /
    inner.reduce((sum, { weights }) => sum + weights, 0);
  assert.ok(average <= 3 && average > 2.7, `${average} bits`);
  assert.ok(new Set(inner.map(({ bits }) => bits)).size > 1);
  const settings = JSON.parse(metadata['lcq.quantize']);
  assert.equal(settings.bits, 'w4a8');
  assert.equal(settings.averageWeightBits, 3);
});

test('takes a network of bytes, whose pixels stay as they are', async () => {
  const flags = ['--bits', 'w8a8', '--images', '8', '--batch', '4', '--steps', '0'];
  const result = quantizeModel('bytes', ...flags);
  assert.equal(result.status, 0, result.stderr);
  const read = (name: string) => readFile(join(folder, 'net', name));
  const { input } = JSON.parse(String(await read('config.json')));
  assert.equal(input.layout, 'NHWC');
  assert.equal(input.normalization, undefined);
  const { graph } = decodeModel(await read('1/model.onnx'));
  assert.ok(graph.nodes.every(({ domain }) => domain === 'lcq'));
  assert.deepEqual(graph.nodes[0].inputs[0], 'pixels');
  assert.deepEqual(graph.nodes[0].attributes.input_zero_point, { int: 128 });
});

test('says what it cannot do', () => {
  const refused = (message: RegExp, ...flags: string[]) => {
    const { status, stderr } = quantize(...flags);
    assert.equal(status, 1);
    assert.match(stderr, message);
  };
  refused(/INVALID_ARGUMENT: --bits must be like w4a4/, '--bits', 'w5a4');
  refused(/INVALID_ARGUMENT: --mixed must be from 2 to 8, not 1.5/, '--mixed', '1.5');
  refused(/NOT_FOUND: .*has 8 images, 16 are wanted/, '--images', '16');
  refused(/INVALID_ARGUMENT: --images must be a multiple/, '--images', '9');
  refused(/NOT_FOUND: there is nothing to resume/, '--images', '8', '--batch', '4', '--resume');
});
