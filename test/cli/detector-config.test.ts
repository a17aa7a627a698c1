import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { detectorConfig } from '../../src/cli/detector-config.js';
import type { Model, Node } from '../../src/onnx/graph.js';

const CLASSES = 3;
const BINS = 8;
/** Cells of feature maps at strides 8, 16 and 32 of an image of 64 x 64. */
const CELLS = [64, 16, 4];

function detector(batch: number | string, outputs: [string, number, number][], nodes: Node[] = []) {
  const image = { dtype: 'float32', shape: [batch, 3, 64, 64] } as const;
  const graph: Model['graph'] = {
    name: 'detector',
    inputs: [{ name: 'image', type: image }],
    outputs: outputs.map(([name, cells, columns]) => {
      return { name, type: { dtype: 'float32', shape: [batch, cells, columns] } };
    }),
    initializers: new Map(),
    nodes,
  };
  return { irVersion: 8, producer: 'test', opsets: { '': 11 }, graph, functions: [], metadata: {} };
}

const node = (opType: string, input: string, output: string): Node => {
  return { name: output, opType, domain: '', inputs: [input], outputs: [output], attributes: {} };
};

/** Pairs of outputs, the smallest feature map first; a Transpose lies between scores and their Sigmoid. */
function nanodet(): Model {
  const outputs = [...CELLS.keys()].reverse().flatMap((i): [string, number, number][] => [
    [`d${i}`, CELLS[i], 4 * BINS],
    [`s${i}`, CELLS[i], CLASSES],
  ]);
  const nodes = [...CELLS.keys()].flatMap((i) => [
    node('Sigmoid', `raw${i}`, `p${i}`),
    node('Transpose', `p${i}`, `s${i}`),
    node('Transpose', `e${i}`, `d${i}`),
  ]);
  return detector('N', outputs, nodes);
}

const CELL_COUNT = CELLS.reduce((sum, cells) => sum + cells, 0);
const yolox = (batch: number | string) => detector(batch, [['boxes', CELL_COUNT, 5 + CLASSES]]);

describe('the configuration of a pretrained detector', () => {
  test('of the YOLOX family: letterboxed BGR pixels as they are', () => {
    const { config, classes } = detectorConfig(yolox('N'), 'yolox', {});
    assert.equal(classes, CLASSES);
    assert.deepEqual(config.output, {
      decoder: 'yolox',
      name: 'boxes',
      strides: [8, 16, 32],
    });
    const { channels, resize, padding, normalization, width, height } = config.input;
    assert.deepEqual([channels, resize, width, height], ['BGR', 'letterbox', 64, 64]);
    assert.deepEqual(padding, { position: 'end', value: 114 });
    assert.deepEqual(normalization, { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] });
  });

  test('of the NanoDet family: scores told from distances, in the order of strides', () => {
    const { config, classes } = detectorConfig(nanodet(), 'nanodet', {});
    assert.equal(classes, CLASSES);
    assert.equal(config.output.decoder, 'nanodet');
    const { scores, distances } = config.output as { scores: string[]; distances: string[] };
    assert.deepEqual(scores, ['s0', 's1', 's2']);
    assert.deepEqual(distances, ['d0', 'd1', 'd2']);
  });

  test('limits batches to what the file was exported for', () => {
    assert.equal(detectorConfig(yolox(1), 'yolox', {}).config.maxBatchSize, 1);
    assert.ok(detectorConfig(yolox('N'), 'yolox', {}).config.maxBatchSize > 1);
  });

  test('takes preprocessing other than the authors’', () => {
    const other = { scale: 1 / 255, mean: [0.1, 0.2, 0.3], resize: 'stretch' } as const;
    const { input } = detectorConfig(yolox('N'), 'yolox', other).config;
    assert.equal(input.resize, 'stretch');
    assert.deepEqual(input.normalization, { scale: 1 / 255, mean: other.mean, std: [1, 1, 1] });
  });

  test('is refused where input or outputs are not those of the head', () => {
    assert.throws(() => detectorConfig(nanodet(), 'yolox', {}), {
      code: 'UNSUPPORTED',
      message: /one output, not 6/,
    });
    assert.throws(() => detectorConfig(yolox('N'), 'nanodet', {}), { code: 'UNSUPPORTED' });
    assert.throws(() => detectorConfig(detector(1, [['boxes', 7, 8]]), 'yolox', {}));
  });
});
