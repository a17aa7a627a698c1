import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelConfigSchema } from '../../src/repository/model-config.js';

const INPUT = { name: 'image', layout: 'NCHW', width: 416, height: 416 };
const YOLOX = { task: 'detection', input: INPUT, output: { decoder: 'yolox', name: 'out' } };
const NANODET = {
  ...YOLOX,
  output: { decoder: 'nanodet', scores: ['a', 'b'], distances: ['c', 'd'], strides: [8, 16] },
};
const CLASSIFIER = {
  task: 'classification',
  input: INPUT,
  output: { name: 'logits', activation: 'softmax' },
};

test('a detection config needs little: the rest is what its families use', () => {
  const config = modelConfigSchema.parse(YOLOX);
  assert.ok(config.task === 'detection' && config.output.decoder === 'yolox');
  assert.equal(config.input.resize, 'letterbox');
  assert.deepEqual(config.input.padding, { position: 'end', value: 114 });
  assert.equal(config.input.channels, 'RGB');
  assert.deepEqual(config.output.strides, [8, 16, 32]);
  assert.deepEqual(config.thresholds, {
    scoreThreshold: 0.25,
    iouThreshold: 0.6,
    maxDetections: 100,
  });
  modelConfigSchema.parse(NANODET);
});

test('what is wrong is named by its field', () => {
  const cases: [object, string][] = [
    [{ ...YOLOX, task: 'segmentation' }, 'task'],
    [{ ...YOLOX, output: { decoder: 'ssd', name: 'out' } }, 'output.decoder'],
    [{ ...YOLOX, output: { ...YOLOX.output, strides: [0] } }, 'output.strides.0'],
    [{ ...YOLOX, thresholds: { scoreThreshold: 1.1 } }, 'thresholds.scoreThreshold'],
    [{ ...YOLOX, thresholds: { maxDetections: 0 } }, 'thresholds.maxDetections'],
    [{ ...YOLOX, input: { ...INPUT, resize: 'cover' } }, 'input.resize'],
    [{ ...YOLOX, input: { ...INPUT, channels: 'RBG' } }, 'input.channels'],
    [{ ...YOLOX, input: { ...INPUT, padding: { value: 256 } } }, 'input.padding.value'],
    [{ ...NANODET, output: { ...NANODET.output, strides: [8] } }, 'output.strides'],
    [{ ...CLASSIFIER, output: { name: 'logits' } }, 'output.activation'],
  ];
  for (const [config, field] of cases) {
    const { success, error } = modelConfigSchema.safeParse(config);
    assert.equal(success, false, field);
    assert.equal(error?.issues[0].path.join('.'), field);
  }
  const { error } = modelConfigSchema.safeParse({ ...CLASSIFIER, thresholds: {} });
  assert.match(error?.issues[0].message ?? '', /thresholds/);
});
