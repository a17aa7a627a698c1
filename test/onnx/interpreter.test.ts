import assert from 'node:assert/strict';
import { test } from 'node:test';
import ort from 'onnxruntime-node';
import { interpret } from '../../src/onnx/interpreter.js';
import { decodeModel, encodeModel } from '../../src/onnx/serde.js';
import { randomIntegers } from '../lcq/random-layers.js';
import { tinyNetwork } from './tiny-network.js';

const shape = [3, 8, 6, 3];

function images(seed: number): Uint8Array {
  const next = randomIntegers(seed);
  return Uint8Array.from({ length: 3 * 8 * 6 * 3 }, () => next(0, 255));
}

for (const seed of [1, 2, 3]) {
  test(`a whole network gives what its function bodies give on stock onnxruntime (${seed})`, async () => {
    const bytes = encodeModel(tinyNetwork(randomIntegers(seed)));
    const data = images(seed);
    const expected = interpret(decodeModel(bytes), { image: { shape, data } });
    const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1 });
    const actual = await session.run({ image: new ort.Tensor('uint8', data, shape) });
    await session.release();
    assert.deepEqual(Object.keys(expected), ['logits']);
    assert.deepEqual(expected.logits.shape, [3, 5]);
    assert.deepEqual(actual.logits.data, expected.logits.data);
    assert.ok(
      new Set(expected.logits.data).size > 10,
      'the network answers alike to different images',
    );
  });
}

test('inputs must be there and fit', () => {
  const model = tinyNetwork(randomIntegers(1));
  const refused = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message });
  assert.throws(() => interpret(model, {}), refused(/'image' is missing/));
  const data = images(1);
  for (const feed of [
    { shape: [3, 8, 6, 4], data },
    { shape: [3, 8, 6], data },
    { shape, data: data.subarray(1) },
    { shape, data: new Int16Array(data.length) },
  ]) {
    assert.throws(() => interpret(model, { image: feed }), refused(/must be uint8 \[N,8,6,3\]/));
  }
});

test('a node of another domain has no reference', () => {
  const model = tinyNetwork(randomIntegers(1));
  const relu = {
    name: 'r',
    opType: 'Relu',
    domain: '',
    inputs: ['logits'],
    outputs: ['y'],
    attributes: {},
  };
  model.graph.nodes.push(relu);
  assert.throws(() => interpret(model, {}), { code: 'UNSUPPORTED', message: /'r'/ });
});
