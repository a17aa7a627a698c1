import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tensorOf } from '../../src/onnx/elements.js';
import type { Model } from '../../src/onnx/graph.js';
import { summarize } from '../../src/quantization/summary.js';
import { randomIntegers } from '../lcq/random-layers.js';
import { tinyNetwork } from '../onnx/tiny-network.js';

test('a layer is measured from its packed weights', () => {
  const { layers } = summarize(tinyNetwork(randomIntegers(1)));
  assert.deepEqual(
    layers.map(({ name }) => name),
    [
      'LcqConvStream_s0',
      'LcqConv_c1',
      'LcqConvAdd_s2',
      'LcqConv_c3',
      'LcqConvAdd_s4',
      'LcqGemm_logits',
    ],
  );
  assert.deepEqual(layers[1], {
    name: 'LcqConv_c1',
    op: 'LcqConv',
    weightShape: [8, 3, 3, 4],
    bits: 2,
    weights: 288,
    bytes: 72,
    bitsPerWeight: 2,
    inputLevels: [0, 12, 30, 42],
    weightLevels: [-1, 0, 1],
    // 8 x 6 pixels at stride 2.
    macs: 288 * 4 * 3,
  });
  assert.equal(layers[5].macs, 40);
});

test('totals count every weight, and every other constant apart', () => {
  const model = tinyNetwork(randomIntegers(1));
  const { totals } = summarize(model);
  const constants = [...model.graph.initializers.values()].reduce(
    (n, { data }) => n + data.length,
    0,
  );
  assert.equal(totals.weights, 108 + 288 + 576 + 64 + 576 + 40);
  assert.equal(totals.bytes, 108 + 72 + 216 + 32 + 144 + 40);
  assert.equal(totals.otherBytes, constants - totals.bytes);
  assert.equal(totals.bitsPerWeight, (8 * totals.bytes) / totals.weights);
  assert.equal(totals.compression, (4 * totals.weights) / totals.bytes);
});

test('the multiply-accumulates are not guessed where the image size is free', () => {
  const model = tinyNetwork(randomIntegers(1));
  model.graph.inputs[0] = { name: 'image', type: { dtype: 'uint8', shape: ['N', 'H', 'W', 3] } };
  const { layers } = summarize(model);
  assert.deepEqual(
    layers.map(({ macs }) => macs),
    [undefined, undefined, undefined, undefined, undefined, 40],
  );
});

test('a model that is not LCQ has its layers listed at their stored width', () => {
  const type = { dtype: 'float32', shape: ['N', 2] } as const;
  const model: Model = {
    irVersion: 8,
    producer: '',
    opsets: { '': 13 },
    graph: {
      name: 'g',
      inputs: [{ name: 'x', type }],
      outputs: [{ name: 'y', type }],
      initializers: new Map([['w', tensorOf('float32', [2, 2], Float32Array.of(1, 2, 3, 4))]]),
      nodes: [
        {
          name: 'fc',
          opType: 'MatMul',
          domain: '',
          inputs: ['x', 'w'],
          outputs: ['h'],
          attributes: {},
        },
        { name: 'act', opType: 'Relu', domain: '', inputs: ['h'], outputs: ['y'], attributes: {} },
      ],
    },
    functions: [],
    metadata: {},
  };
  const { layers, totals } = summarize(model);
  assert.deepEqual(layers, [
    {
      name: 'fc',
      op: 'MatMul',
      weightShape: [2, 2],
      bits: 32,
      weights: 4,
      bytes: 16,
      bitsPerWeight: 32,
    },
  ]);
  assert.equal(totals.compression, 1);
});
