import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Graph } from '../../../src/onnx/graph.js';
import { cutIntoBlocks, subgraph } from '../../../src/quantization/post-training/blocks.js';
import { planQuantization } from '../../../src/quantization/post-training/plan.js';
import { smallNetwork, smallNetworkOfBytes } from './small-network.js';

const graph = smallNetwork(1);
const bits = { weightBits: 3, activationBits: 4 } as const;

test('first and last layers get 8 bits, others what is asked for, each activation one quantizer', () => {
  const plan = planQuantization(graph, bits);
  const layers = [...plan.layers].map(([{ name }, { weightBits }]) => [name, weightBits]);
  assert.deepEqual(Object.fromEntries(layers), {
    stem: 8,
    depthwise: 3,
    project: 3,
    expand: 3,
    grouped: 3,
    back: 3,
    shortcut: 3,
    halve: 3,
    wide: 3,
    head: 3,
    logits: 8,
  });
  assert.equal(plan.activations.get('image'), 8);
  assert.equal(plan.activations.get('sum'), 4);
  // The shortcut and the block beside it read one value.
  assert.equal(plan.activations.size, 9);
});

test('pixels of a network of bytes get no quantizer', () => {
  const plan = planQuantization(smallNetworkOfBytes(1), bits);
  assert.deepEqual(
    [...plan.activations.keys()],
    [...planQuantization(graph, bits).activations.keys()].filter((value) => value !== 'image'),
  );
});

test('a fully connected layer behind anything but pooled features stays as it is', () => {
  const nodes = graph.nodes.map((node) =>
    node.opType === 'GlobalAveragePool' ? { ...node, opType: 'GlobalMaxPool' } : node,
  );
  const plan = planQuantization({ ...graph, nodes }, bits);
  assert.ok([...plan.layers.keys()].every(({ opType }) => opType === 'Conv'));
  // The last quantized layer is another one then.
  const [, head] = [...plan.layers].at(-1) as [unknown, { weightBits: number }];
  assert.equal(head.weightBits, 8);
});

test('blocks join short chains, keep residual units whole and meet at one value', () => {
  const blocks = cutIntoBlocks(graph, planQuantization(graph, bits));
  assert.deepEqual(blocks, [
    { from: 'image', to: 'project', layers: ['stem', 'depthwise', 'project'] },
    { from: 'project', to: 'sum', layers: ['expand', 'grouped', 'back'] },
    { from: 'sum', to: 'joined.relu', layers: ['shortcut', 'halve', 'wide'] },
    { from: 'joined.relu', to: 'logits', layers: ['head', 'logits'] },
  ]);
});

test('a part of a graph is what lies between its ends', () => {
  const names = (part: Graph) => part.nodes.map(({ name }) => name);
  assert.deepEqual(names(subgraph(graph, 'project', ['expand.relu6'])), ['expand', 'expand.relu6']);
  assert.deepEqual(names(subgraph(graph, 'sum', ['joined'])), [
    'shortcut',
    'halve',
    'wide.relu',
    'wide',
    'joined',
  ]);
  assert.equal(subgraph(graph, 'image', ['logits']).nodes.length, graph.nodes.length);
});
