import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Graph, Node, TensorData } from '../../src/onnx/graph.js';
import {
  oneStageDetector,
  withLogits,
  withProbabilities,
} from '../../src/training/networks/one-stage-detector.js';
import { cifarResNet } from '../../src/training/networks/resnet.js';
import { checkTrainable } from '../../src/training/trainable.js';

const TASK = { imageSize: [32, 32], outputShape: [10] } as const;
const resnet = () => cifarResNet(8, 10, 32, 1);

/** The network with one of its nodes changed. */
function altered(name: string, change: (node: Node) => Node): Graph {
  const graph = resnet();
  return { ...graph, nodes: graph.nodes.map((node) => (node.name === name ? change(node) : node)) };
}

function withInitializer(name: string, change: (tensor: TensorData) => TensorData): Graph {
  const graph = resnet();
  const tensor = graph.initializers.get(name) as TensorData;
  return { ...graph, initializers: new Map(graph.initializers).set(name, change(tensor)) };
}

describe('checkTrainable', () => {
  test('a network of ours passes', () => checkTrainable('network', resnet(), TASK));

  for (const [name, graph, code, message] of [
    [
      'an op without a gradient',
      altered('stem.relu', (node) => ({ ...node, opType: 'Erf' })),
      'UNSUPPORTED',
      /^the network cannot be trained: node 'stem\.relu': op Erf has no gradient rule$/,
    ],
    [
      'shapes that do not fit',
      altered('block0.add', (node) => ({ ...node, inputs: [node.inputs[0], 'pixel.nchw'] })),
      'UNSUPPORTED',
      /^the network cannot be trained: cannot broadcast \[1,16,32,32\] with \[1,3,32,32\]$/,
    ],
    [
      'weights that are no float32',
      withInitializer('classifier.bias', ({ shape }) => ({
        dtype: 'float16',
        shape,
        data: new Uint8Array(20),
      })),
      'UNSUPPORTED',
      /parameter 'classifier\.bias' is float16, not float32$/,
    ],
    [
      'images of another size',
      cifarResNet(8, 10, 28, 1),
      'INVALID_ARGUMENT',
      /must have one input, uint8 \[N,32,32,3\], not uint8 \[N,28,28,3\]$/,
    ],
    [
      'other classes',
      cifarResNet(8, 7, 32, 1),
      'INVALID_ARGUMENT',
      /makes \[7\] of an image, where the data asks for \[10\]$/,
    ],
  ] as const) {
    test(`${name}: refused by name`, () => {
      assert.throws(() => checkTrainable('network', graph, TASK), { code, message });
    });
  }
});

test('a detector that is served is trained on its logits again', () => {
  const detector = oneStageDetector(2, [16, 24], 1);
  const { nodes, outputs } = withLogits(withProbabilities(detector));
  assert.deepEqual({ nodes, outputs }, { nodes: detector.nodes, outputs: detector.outputs });
  assert.equal(withLogits(detector), detector);
});
