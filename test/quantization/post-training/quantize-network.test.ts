import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import * as ort from 'onnxruntime-node';
import type { Graph, Model } from '../../../src/onnx/graph.js';
import { interpret } from '../../../src/onnx/interpreter.js';
import { decodeModel, encodeModel } from '../../../src/onnx/serde.js';
import { exportModel } from '../../../src/quantization/export.js';
import { rangedValues } from '../../../src/quantization/layer-ending.js';
import { NetworkRunner } from '../../../src/quantization/post-training/network-runner.js';
import { observeValues } from '../../../src/quantization/post-training/observe.js';
import {
  type BlockReport,
  fitNetwork,
  reconstructNetwork,
} from '../../../src/quantization/post-training/quantize-network.js';
import { readState, writeState } from '../../../src/quantization/post-training/state-file.js';
import { createLcqSession, listKernels } from '../../../src/runtime/lcq-session.js';
import { CLASSES, SIZE, smallImages, smallNetwork, smallSettings } from './small-network.js';

const COUNT = 32;
const images = smallImages(COUNT, 2);
const full = smallNetwork(1);

async function logits(graph: Graph): Promise<Float32Array> {
  const input = { name: 'image', shape: images.shape };
  const runner = await NetworkRunner.create(graph, input, ['logits'], { batch: 8, threads: 1 });
  const { data } = await runner.run(images);
  await runner.release();
  return data;
}

function relativeError(values: Float32Array, exact: Float32Array): number {
  const error = exact.reduce((sum, v, i) => sum + (v - values[i]) ** 2, 0);
  return Math.sqrt(error / exact.reduce((sum, v) => sum + v ** 2, 0));
}

async function exported(graph: Graph): Promise<Model> {
  const settings = { batch: 8, threads: 1, seed: 1 };
  const observed = await observeValues(graph, rangedValues(graph), images, settings);
  const ranges = new Map([...observed].map(([name, { largest }]) => [name, largest]));
  return exportModel(graph, [SIZE, SIZE], ranges);
}

for (const [w, a] of [
  [4, 4],
  [2, 8],
  [3, 3],
] as const) {
  describe(`a network fitted to W${w}A${a}`, () => {
    const shape = [COUNT, 3, SIZE, SIZE];
    let graph: Graph;
    let bytes: Uint8Array;
    let reference: Float32Array;
    before(async () => {
      ({ graph } = await fitNetwork(full, images, smallSettings(w, a), () => {}));
      bytes = encodeModel(await exported(graph));
      const feeds = { image: { shape, data: images.data } };
      reference = interpret(decodeModel(bytes), feeds).logits.data as Float32Array;
    });

    test('runs on the stock runtime by its function bodies, equal to the reference', async () => {
      const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
      const results = await session.run({ image: new ort.Tensor('float32', images.data, shape) });
      assert.deepEqual(results.logits.data, reference);
      await session.release();
    });

    for (const { name, available } of listKernels()) {
      if (!available) continue;
      test(`runs on ${name} kernels, equal to the reference`, async () => {
        const session = await createLcqSession(bytes, { kernels: name, intraOpThreads: 1 });
        const image = { datatype: 'FP32' as const, shape, data: images.data };
        assert.deepEqual((await session.run({ image })).logits.data, reference);
        await session.dispose();
      });
    }

    test('computes what the fitted graph computes', async () => {
      // Not zero: pooled features have 8 bits, and a stream rounded to 16 now and then crosses a threshold.
      const error = relativeError(reference, await logits(graph));
      assert.ok(error < 0.05, `relative error ${error}`);
    });
  });
}

describe('the exported operators', () => {
  test('give the first layer and the classifier 8 bits, signed inputs a zero point', async () => {
    const { graph } = await fitNetwork(full, images, smallSettings(4, 4), () => {});
    const model = await exported(graph);
    const rows = model.graph.nodes.map(({ name, opType, attributes }) => {
      const bits = attributes.weight_bits;
      const zero = attributes.input_zero_point;
      return [
        name,
        opType,
        bits && 'int' in bits ? bits.int : 0,
        zero && 'int' in zero ? zero.int : 0,
      ];
    });
    assert.deepEqual(rows, [
      ['image.quantized', 'LcqQuantize', 0, 0],
      ['stem', 'LcqConv', 8, 128],
      ['depthwise', 'LcqConv', 4, 0],
      ['project', 'LcqConvStream', 4, 0],
      ['expand', 'LcqConv', 4, 128],
      ['grouped', 'LcqConv', 4, 0],
      ['back', 'LcqConvAdd', 4, 0],
      ['shortcut', 'LcqConvStream', 4, 128],
      ['halve', 'LcqConv', 4, 128],
      ['wide', 'LcqConvAdd', 4, 0],
      ['head', 'LcqConvStream', 4, 0],
      ['pooled', 'LcqGlobalAveragePool', 0, 0],
      ['classifier', 'LcqGemm', 8, 0],
    ]);
  });

  test('leave what has no integer form in full precision', async () => {
    const silu = {
      ...full,
      nodes: full.nodes.flatMap((node) => {
        if (node.name !== 'wide.relu') return [node];
        const gate = { ...node, name: 'gate', opType: 'Sigmoid', outputs: ['gate'] };
        return [gate, { ...node, opType: 'Mul', inputs: [...node.inputs, 'gate'] }];
      }),
    };
    const { graph } = await fitNetwork(silu, images, smallSettings(8, 8), () => {});
    const model = await exported(graph);
    const standard = model.graph.nodes.filter(({ domain }) => domain === '');
    assert.deepEqual(
      standard.map(({ opType }) => opType),
      ['Cast', 'Mul', 'Transpose', 'Sigmoid', 'Mul'],
    );
    const session = await ort.InferenceSession.create(encodeModel(model), { logSeverityLevel: 3 });
    const shape = [COUNT, 3, SIZE, SIZE];
    const results = await session.run({ image: new ort.Tensor('float32', images.data, shape) });
    const error = relativeError(results.logits.data as Float32Array, await logits(silu));
    assert.ok(error < 0.1, `relative error ${error}`);
    await session.release();
  });
});

describe('reconstruction', () => {
  const settings = smallSettings(3, 3);

  test('brings every block nearer to full precision, and the network with them', async () => {
    const fitted = await fitNetwork(full, images, settings, () => {});
    const reports: BlockReport[] = [];
    const graph = await reconstructNetwork(
      full,
      fitted.graph,
      fitted.blocks,
      images,
      settings.reconstruction,
      0,
      { onStep: () => {}, onBlock: async (_, __, report) => void reports.push(report) },
    );
    assert.equal(reports.length, fitted.blocks.length);
    assert.deepEqual(
      reports.flatMap(({ layers }) => layers),
      fitted.layers.map(({ name }) => name),
    );
    for (const { before, after } of reports) assert.ok(after > before, `${before} -> ${after} dB`);
    const exact = await logits(full);
    assert.equal(exact.length, COUNT * CLASSES);
    const [was, is] = [await logits(fitted.graph), await logits(graph)];
    assert.ok(relativeError(is, exact) < 0.8 * relativeError(was, exact));
  });

  test('goes on after a stop as if there had been none', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'lcq-reconstruction-'));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, 'state.onnx');
    const network = await fitNetwork(full, images, settings, () => {});
    const blocks: BlockReport[] = [];
    const stop = new Error('killed');
    const run = (start: Graph, done: number, last: number) =>
      reconstructNetwork(full, start, network.blocks, images, settings.reconstruction, done, {
        onStep: () => {},
        onBlock: async (block, graph, report) => {
          blocks.push(report);
          await writeState(path, { network: { ...network, graph }, blocks }, 'same');
          if (block === last) throw stop;
        },
      });
    const whole = await run(network.graph, 0, Number.POSITIVE_INFINITY);
    blocks.length = 0;
    await assert.rejects(run(network.graph, 0, 1), stop);
    const state = await readState(path, 'same');
    assert.deepEqual(state.blocks, blocks);
    assert.deepEqual(state.network.layers, network.layers);
    const resumed = await run(state.network.graph, 2, Number.POSITIVE_INFINITY);
    assert.deepEqual(await logits(resumed), await logits(whole));
    const refused = { code: 'INVALID_ARGUMENT', message: /other settings/ };
    await assert.rejects(readState(path, 'other'), refused);
    await assert.rejects(readState(join(folder, 'none'), 'same'), { code: 'NOT_FOUND' });
  });
});
