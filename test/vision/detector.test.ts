import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectionDecoder, detectObjects } from '../../src/vision/detector.js';

test('raw outputs become objects in pixels of the picture', () => {
  const input = { width: 32, height: 32 };
  const specs = [{ name: 'out', datatype: 'FP32', shape: [1, 16, 6] }] as const;
  const output = { decoder: 'yolox', name: 'out', strides: [8] } as const;
  const decoder = detectionDecoder(output, input, specs);
  const data = new Float32Array(16 * 6);
  // A box of 8 x 8 around the middle of the input, seen by two cells; one that lies in the padding.
  data.set([2, 2, 0, 0, 1, 0.75], 0);
  data.set([1, 2, 0, 0, 1, 0.5], 6);
  data.set([0.5, 0.5, 0, 0, 1, 1], 15 * 6);
  const out = { datatype: 'FP32', shape: [1, 16, 6], data } as const;
  // A picture of 64 x 48 pixels, halved, with 8 rows of padding below.
  const placement = { width: 64, height: 48, scaleX: 0.5, scaleY: 0.5, left: 0, top: 0 };
  const thresholds = { scoreThreshold: 0.4, iouThreshold: 0.5, maxDetections: 10 };
  assert.deepEqual(detectObjects(decoder, { out }, placement, thresholds), [
    { index: 0, score: 0.75, box: { x: 24, y: 24, width: 16, height: 16 } },
  ]);
});
