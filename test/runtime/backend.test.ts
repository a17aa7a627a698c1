import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ort from 'onnxruntime-node';
import { registerLcqBackend } from '../../src/runtime/backend.js';
import { convModel, standardModel } from './models.js';

registerLcqBackend();
registerLcqBackend(); // harmless

describe('the lcq backend of onnxruntime-node', () => {
  const { bytes, feeds, expected } = convModel({ weightBits: 3, channelsPerGroup: 9 });
  const X = new ort.Tensor('uint8', feeds.X.data as Uint8Array, feeds.X.shape);

  test('runs a model with lcq ops by the official API', async () => {
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ['lcq'] });
    assert.deepEqual(session.inputNames, ['X']);
    assert.deepEqual(session.inputMetadata, [
      { name: 'X', isTensor: true, type: 'uint8', shape: feeds.X.shape },
    ]);
    const { Y } = await session.run({ X });
    assert.ok(Y instanceof ort.Tensor);
    assert.equal(Y.type, 'uint8');
    assert.deepEqual(Y.data, expected);
    await session.release();
  });

  test('passes its options on', async () => {
    const create = (options: ort.InferenceSession.SessionOptions) =>
      ort.InferenceSession.create(bytes, { executionProviders: ['lcq'], ...options });
    await assert.rejects(create({ extra: { kernels: 'mmx' } }), { code: 'UNSUPPORTED' });
    await assert.rejects(create({ intraOpNumThreads: -1 }), { code: 'INVALID_ARGUMENT' });
    const session = await create({ intraOpNumThreads: 2, extra: { kernels: 'scalar' } });
    assert.deepEqual((await session.run({ X })).Y.data, expected);
    await session.release();
  });

  test('returns only the outputs that are asked for', async () => {
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ['lcq'] });
    assert.deepEqual(Object.keys(await session.run({ X }, ['Y'])), ['Y']);
    await assert.rejects(session.run({ X }, ['Z']), RangeError);
    await session.release();
  });

  test('refuses a feed that does not fit, naming the input', async () => {
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ['lcq'] });
    const floats = new ort.Tensor('float32', new Float32Array(3), [3]);
    await assert.rejects(session.run({ X: floats }), { code: 'INVALID_ARGUMENT', message: /'X'/ });
    await session.release();
  });

  test('leaves sessions that do not name it alone', async () => {
    await assert.rejects(ort.InferenceSession.create(bytes), /LcqConv/);
    const session = await ort.InferenceSession.create(standardModel('Add', 'float32'));
    const { Y } = await session.run({ X: new ort.Tensor('float32', [1, 2, 3], [1, 3]) });
    assert.deepEqual(Y.data, Float32Array.of(2, 4, 6));
    await session.release();
  });
});
