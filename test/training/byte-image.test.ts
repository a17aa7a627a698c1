import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-node';
import { tensorOf } from '../../src/onnx/elements.js';
import type { Graph, Node } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { byteImage } from '../../src/training/byte-image.js';
import { Random } from '../../src/training/random.js';

const SIZE = 5;
const CHANNELS = 4;
const NORMALIZATION = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

const random = new Random(3);
const drawn = (...shape: number[]) => {
  const length = shape.reduce((product, size) => product * size, 1);
  return tensorOf(
    'float32',
    shape,
    Float32Array.from({ length }, () => random.normal()),
  );
};

/** A convolution without padding, and a normalization after it unless there is a bias. */
function network(after: 'bias' | 'norm' | 'nothing'): Graph {
  const node = (opType: string, inputs: string[], outputs: string[]): Node => {
    return { name: outputs[0], opType, domain: '', inputs, outputs, attributes: {} };
  };
  const norm = ['gain', 'offset', 'mean', 'variance'];
  const nodes = [node('Conv', ['planes', 'w', ...(after === 'bias' ? ['b'] : [])], ['conv'])];
  if (after === 'norm') nodes.push(node('BatchNormalization', ['conv', ...norm], ['norm']));
  const [last] = nodes.slice(-1);
  const shape = ['N', CHANNELS, SIZE - 2, SIZE - 2];
  return {
    name: 'network',
    inputs: [{ name: 'planes', type: { dtype: 'float32', shape: ['N', 3, SIZE, SIZE] } }],
    outputs: [{ name: last.outputs[0], type: { dtype: 'float32', shape } }],
    nodes,
    initializers: new Map([
      ['w', drawn(CHANNELS, 3, 3, 3)],
      ...['b', 'gain', 'offset', 'mean'].map((name) => [name, drawn(CHANNELS)] as const),
      ['variance', tensorOf('float32', [CHANNELS], Float32Array.of(0.5, 1, 2, 3))],
    ]),
  };
}

async function run(graph: Graph, image: ort.Tensor): Promise<Float32Array> {
  const model = { irVersion: 8, producer: 'test', opsets: { '': 17 }, functions: [], metadata: {} };
  const session = await ort.InferenceSession.create(encodeModel({ ...model, graph }), {
    logSeverityLevel: 3,
  });
  const results = await session.run({ planes: image });
  await session.release();
  return results[graph.outputs[0].name].data as Float32Array;
}

for (const after of ['bias', 'norm', 'nothing'] as const) {
  test(`a network of bytes computes what it computed of normalized planes: ${after} after its Conv`, async () => {
    const graph = network(after);
    const pixels = Uint8Array.from({ length: 2 * SIZE * SIZE * 3 }, () => 255 * random.uniform());
    const { scale, mean, std } = NORMALIZATION;
    const planes = new Float32Array(pixels.length);
    for (const [i, pixel] of pixels.entries()) {
      const c = i % 3;
      const [n, at] = [Math.floor(i / (SIZE * SIZE * 3)), Math.floor(i / 3) % (SIZE * SIZE)];
      planes[(n * 3 + c) * SIZE * SIZE + at] = (pixel * scale - mean[c]) / std[c];
    }
    const expected = await run(graph, new ort.Tensor('float32', planes, [2, 3, SIZE, SIZE]));
    const bytes = new ort.Tensor('uint8', pixels, [2, SIZE, SIZE, 3]);
    const result = await run(byteImage(graph, NORMALIZATION), bytes);
    assert.equal(result.length, expected.length);
    for (const [i, value] of expected.entries()) {
      assert.ok(Math.abs(result[i] - value) < 1e-4, `${result[i]} for ${value}`);
    }
  });
}

test('a network whose image several nodes read is refused by the name of its input', () => {
  const graph = network('bias');
  const twice = { ...graph.nodes[0], outputs: ['other'] };
  const branched = { ...graph, nodes: [...graph.nodes, twice] };
  assert.throws(() => byteImage(branched, NORMALIZATION), {
    code: 'UNSUPPORTED',
    message: /'planes'/,
  });
});
