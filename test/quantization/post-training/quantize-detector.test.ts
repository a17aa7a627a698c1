import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as ort from 'onnxruntime-node';
import type { Graph } from '../../../src/onnx/graph.js';
import { canonicalGraph } from '../../../src/onnx/passes/canonical.js';
import { encodeModel } from '../../../src/onnx/serde.js';
import { verifyModel } from '../../../src/onnx/verifier.js';
import { exportModel } from '../../../src/quantization/export.js';
import { rangedValues } from '../../../src/quantization/layer-ending.js';
import {
  joinOutputs,
  splitOutputs,
} from '../../../src/quantization/post-training/joined-outputs.js';
import { NetworkRunner } from '../../../src/quantization/post-training/network-runner.js';
import { observeValues } from '../../../src/quantization/post-training/observe.js';
import { fitNetwork } from '../../../src/quantization/post-training/quantize-network.js';
import { solveLayers } from '../../../src/quantization/post-training/solve-layers.js';
import { createLcqSession, listKernels } from '../../../src/runtime/lcq-session.js';
import { Random } from '../../../src/training/random.js';
import { SIZE, smallDetector } from './small-detector.js';
import { smallSettings } from './small-network.js';

const COUNT = 8;
const random = new Random(7);
const images = {
  shape: [3, SIZE, SIZE],
  count: COUNT,
  data: Float32Array.from({ length: COUNT * 3 * SIZE * SIZE }, () => random.normal()),
};
const SHAPE = [COUNT, ...images.shape];

/** All outputs of a trainer's graph, one after the other. */
async function outputs(graph: Graph): Promise<Float32Array[]> {
  const names = graph.outputs.map(({ name }) => name);
  const input = { name: 'image', shape: images.shape };
  const runner = await NetworkRunner.create(graph, input, names, { batch: COUNT, threads: 1 });
  const results: Float32Array[] = [];
  await runner.forEachBatch(images, (values) => {
    results.push(...values.map((value) => value.slice()));
  });
  await runner.release();
  return results;
}

function relativeError(values: Float32Array, exact: Float32Array): number {
  const error = exact.reduce((sum, v, i) => sum + (v - values[i]) ** 2, 0);
  return Math.sqrt(error / exact.reduce((sum, v) => sum + v ** 2, 0));
}

for (const head of ['yolox', 'nanodet'] as const) {
  describe(`a small ${head} at W8A8`, () => {
    const full = canonicalGraph(smallDetector(head));
    const settings = smallSettings(8, 8);
    let graph: Graph;
    let bytes: Uint8Array;

    before(async () => {
      const joined = joinOutputs(full);
      const fitted = await fitNetwork(joined, images, settings, () => {});
      const { blocks } = fitted;
      const layers: string[] = [];
      const solved = await solveLayers(
        joined,
        fitted.graph,
        blocks,
        images,
        settings.reconstruction,
        (name) => layers.push(name),
      );
      assert.equal(layers.length, fitted.layers.length, 'every layer lies in a block');
      graph = splitOutputs(solved, full);
      const observed = await observeValues(
        graph,
        rangedValues(graph),
        images,
        settings.reconstruction,
      );
      const ranges = new Map([...observed].map(([name, { largest }]) => [name, largest]));
      const model = exportModel(graph, [SIZE, SIZE], ranges);
      verifyModel(model);
      assert.ok(model.graph.nodes.every(({ opType }) => opType !== 'Conv'));
      bytes = encodeModel(model);
    });

    test('stays near the network in full precision, as one image at a time gave it', async () => {
      const exact = await outputs(full);
      const session = await ort.InferenceSession.create(encodeModel(smallDetector(head)), {
        logSeverityLevel: 3,
      });
      const one = new ort.Tensor('float32', images.data.slice(0, 3 * SIZE * SIZE), [
        1,
        ...images.shape,
      ]);
      const original = await session.run({ image: one });
      await session.release();
      const quantized = await outputs(graph);
      full.outputs.forEach(({ name }, i) => {
        const first = original[name].data as Float32Array;
        assert.ok(relativeError(exact[i].subarray(0, first.length), first) < 1e-5, name);
        assert.ok(relativeError(quantized[i], exact[i]) < 0.05, name);
      });
    });

    for (const { name, available } of listKernels()) {
      if (!available) continue;
      test(`computes on ${name} kernels what the fitted graph computes`, async () => {
        const session = await createLcqSession(bytes, { kernels: name, intraOpThreads: 1 });
        const image = { datatype: 'FP32' as const, shape: SHAPE, data: images.data };
        const results = await session.run({ image });
        const [expected, exact] = [await outputs(graph), await outputs(full)];
        graph.outputs.forEach((output, i) => {
          const { data, shape } = results[output.name];
          assert.equal(shape[0], COUNT);
          // Not zero: a stream rounded to 16 bits now and then crosses a threshold.
          const error = relativeError(data as Float32Array, expected[i]);
          assert.ok(error < 0.025, `${output.name}: relative error ${error}`);
          const all = relativeError(data as Float32Array, exact[i]);
          assert.ok(all < 0.05, `${output.name}: relative error ${all} to full precision`);
        });
        await session.dispose();
      });
    }
  });
}
