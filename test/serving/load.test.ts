import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LcqError } from '../../src/errors.js';
import { createLogger } from '../../src/observability/logger.js';
import { Metrics } from '../../src/observability/metrics.js';
import { modelConfigSchema } from '../../src/repository/model-config.js';
import type { ModelSession } from '../../src/runtime/session.js';
import { checkSession, loadServable, tried } from '../../src/serving/load.js';
import { COLOUR_CONFIG, colourSession } from './colour-model.js';

const definition = (config: object = COLOUR_CONFIG, labels = ['red', 'green', 'blue']) => ({
  name: 'colours',
  version: '3',
  modelPath: 'colours/3/model.onnx',
  modelBytes: 1,
  modelDigest: 'model digest',
  digest: 'digest',
  config: modelConfigSchema.parse(config),
  labels,
});

const options = () => ({
  batching: { maxQueueDelayMs: 5, queueCapacity: 8, maxBatchesInFlight: 1 },
  imageLimits: { maxBytes: 1e6, maxPixels: 1e6 },
  metrics: new Metrics(),
  log: createLogger('silent'),
});

test('a model is warmed up with one row and a full batch', async () => {
  const session = colourSession();
  const open = tried(async (file) => {
    assert.deepEqual(file, { path: 'colours/3/model.onnx', sha256: 'model digest' });
    return session;
  });
  const servable = await loadServable(definition(), open, options());
  assert.deepEqual(session.batches, [1, 8]);
  assert.equal(servable.name, 'colours');
});

test('each instance is warmed up', async () => {
  const sessions = [colourSession(), colourSession()];
  const waiting = [...sessions];
  const open = tried(async () => waiting.shift() ?? assert.fail('a third one'));
  await loadServable(definition({ ...COLOUR_CONFIG, instances: 2 }), open, options());
  for (const { batches } of sessions) assert.deepEqual(batches, [1, 8]);
});

test('a load that fails names the model and frees its session', async () => {
  const broken = colourSession(async () => {
    throw new LcqError('UNSUPPORTED', "node 'conv1': no kernel");
  });
  await assert.rejects(
    loadServable(
      definition(),
      tried(async () => broken),
      options(),
    ),
    (error) =>
      error instanceof LcqError &&
      error.code === 'UNSUPPORTED' &&
      error.message === "model 'colours' version 3 cannot be loaded: node 'conv1': no kernel",
  );
  assert.equal(broken.disposed, true);
});

test('a config that contradicts its model file is refused by field', () => {
  const session = colourSession();
  const { input, output } = COLOUR_CONFIG;
  const normalization = { mean: [0, 0, 0], std: [1, 1, 1] };
  const reals = { ...session, inputs: [{ ...session.inputs[0], datatype: 'FP32' as const }] };
  const fixed = { ...session, inputs: [{ ...session.inputs[0], shape: [1, 8, 8, 3] }] };
  const cases: [object, ModelSession, RegExp][] = [
    [{ ...COLOUR_CONFIG, input: { ...input, name: 'x' } }, session, /input\.name: .*image/],
    [{ ...COLOUR_CONFIG, input: { ...input, width: 9 } }, session, /input: means \[N,8,9,3\]/],
    [
      { ...COLOUR_CONFIG, input: { ...input, layout: 'NCHW' } },
      session,
      /input: means \[N,3,8,8\]/,
    ],
    [
      { ...COLOUR_CONFIG, input: { ...input, normalization } },
      session,
      /normalization: not allowed/,
    ],
    [COLOUR_CONFIG, reals, /normalization: required/],
    [COLOUR_CONFIG, fixed, /maxBatchSize: the model takes batches of exactly 1/],
    [{ ...COLOUR_CONFIG, output: { ...output, name: 'y' } }, session, /output\.name: .*logits/],
  ];
  for (const [config, against, message] of cases) {
    assert.throws(() => checkSession(definition(config), against), {
      code: 'INVALID_ARGUMENT',
      message,
    });
  }
  const twoLabels = definition(COLOUR_CONFIG, ['red', 'green']);
  assert.throws(() => checkSession(twoLabels, session), {
    message: /labels: 2 labels for 3 classes/,
  });
  checkSession(definition({ ...COLOUR_CONFIG, maxBatchSize: 1 }), fixed);
  checkSession(definition({ ...COLOUR_CONFIG, input: { ...input, normalization } }), reals);
});

const DETECTION_CONFIG = {
  task: 'detection',
  input: { name: 'image', layout: 'NHWC', width: 32, height: 16 },
  output: { decoder: 'yolox', name: 'boxes', strides: [8] },
  labels: 'labels.txt',
};

const detectionSession = (shape: readonly number[]): ModelSession => ({
  ...colourSession(),
  inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, 16, 32, 3] }],
  outputs: [{ name: 'boxes', datatype: 'FP32', shape }],
});

test('a detection config must fit the head of its model', () => {
  checkSession(definition(DETECTION_CONFIG), detectionSession([-1, 8, 8]));
  const refused: [object, readonly number[], RegExp][] = [
    [
      DETECTION_CONFIG,
      [-1, 9, 8],
      /config\.json: output\.name: 'boxes' must be FP32 \[N,8,columns\]/,
    ],
    [{ output: { decoder: 'yolox', name: 'x', strides: [8] } }, [-1, 8, 8], /no output 'x'/],
    [DETECTION_CONFIG, [-1, 8, 9], /labels: 3 labels for 4 classes/],
  ];
  for (const [fields, shape, message] of refused) {
    const config = { ...DETECTION_CONFIG, ...fields };
    assert.throws(() => checkSession(definition(config), detectionSession(shape)), {
      code: 'INVALID_ARGUMENT',
      message,
    });
  }
});
