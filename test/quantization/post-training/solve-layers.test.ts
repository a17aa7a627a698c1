import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementsOf, tensorOf } from '../../../src/onnx/elements.js';
import type { Graph, TensorData } from '../../../src/onnx/graph.js';
import { equalizeDepthwiseInputs } from '../../../src/quantization/post-training/equalize.js';
import {
  type Activations,
  NetworkRunner,
} from '../../../src/quantization/post-training/network-runner.js';
import { fitNetwork } from '../../../src/quantization/post-training/quantize-network.js';
import { solveLayers } from '../../../src/quantization/post-training/solve-layers.js';
import { smallImages, smallNetwork, smallSettings } from './small-network.js';

const images = smallImages(32, 2);
const others = smallImages(32, 3);
const full = smallNetwork(1);
const run = { batch: 8, threads: 1, seed: 1 };

async function logits(graph: Graph, input: Activations): Promise<Float32Array> {
  const image = { name: 'image', shape: input.shape };
  const runner = await NetworkRunner.create(graph, image, ['logits'], run);
  const { data } = await runner.run(input);
  await runner.release();
  return data;
}

async function relativeError(graph: Graph, input: Activations): Promise<number> {
  const [values, exact] = [await logits(graph, input), await logits(full, input)];
  const error = exact.reduce((sum, v, i) => sum + (v - values[i]) ** 2, 0);
  return Math.sqrt(error / exact.reduce((sum, v) => sum + v ** 2, 0));
}

async function solved(original: Graph, fitted: Awaited<ReturnType<typeof fitNetwork>>) {
  const names: string[] = [];
  const { graph, blocks } = fitted;
  const result = await solveLayers(original, graph, blocks, images, run, (n) => names.push(n));
  return { result, names };
}

describe('solving for weights', () => {
  for (const [w, a] of [
    [2, 8],
    [4, 8],
  ] as const) {
    test(`brings a network of W${w}A${a} far nearer to full precision, on other images too`, async () => {
      const fitted = await fitNetwork(full, images, smallSettings(w, a), () => {});
      const { result, names } = await solved(full, fitted);
      assert.deepEqual(
        names,
        fitted.layers.filter(({ op }) => op === 'Conv').map(({ name }) => name),
      );
      const [was, is] = [
        await relativeError(fitted.graph, others),
        await relativeError(result, others),
      ];
      assert.ok(is < 0.6 * was, `${was} -> ${is}`);
    });
  }

  test('repeats itself to the bit', async () => {
    const fitted = await fitNetwork(full, images, smallSettings(3, 4), () => {});
    const [first, second] = [await solved(full, fitted), await solved(full, fitted)];
    assert.deepEqual(await logits(first.result, others), await logits(second.result, others));
  });
});

describe('equalizing what depthwise convolutions read', () => {
  /** One channel before the depthwise convolution is made very small, and its weights there large. */
  function uneven(factor: number): Graph {
    const initializers = new Map(full.initializers);
    const scale = (name: string, row: number, by: number) => {
      const tensor = initializers.get(name) as TensorData;
      const values = elementsOf(tensor, 'float32').slice();
      const size = values.length / tensor.shape[0];
      for (let i = row * size; i < (row + 1) * size; i++) values[i] *= by;
      initializers.set(name, tensorOf('float32', tensor.shape, values));
    };
    for (let channel = 0; channel < 4; channel++) {
      scale('stem.weight', channel, 1 / factor);
      scale('stem.bias', channel, 1 / factor);
      scale('depthwise.weight', channel, factor);
    }
    return { ...full, initializers };
  }

  test('leaves the function and recovers the precision of small channels', async () => {
    const graph = uneven(300);
    const equal = await equalizeDepthwiseInputs(graph, images, run);
    assert.ok((await relativeError(equal, others)) < 1e-4);
    const errors = [];
    for (const network of [graph, equal]) {
      const fitted = await fitNetwork(network, images, smallSettings(8, 8), () => {});
      errors.push(await relativeError(fitted.graph, others));
    }
    assert.ok(errors[1] < 0.2 * errors[0], errors.join());
  });

  test('leaves a network whose activation functions are not linear above zero as it is', async () => {
    const nodes = full.nodes.map((node) =>
      node.name === 'stem.relu6'
        ? { ...node, opType: 'Sigmoid', inputs: node.inputs.slice(0, 1) }
        : node,
    );
    const graph = { ...full, nodes };
    assert.equal(await equalizeDepthwiseInputs(graph, images, run), graph);
  });
});
