import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { levelCaps } from '../../src/lcq/levels.js';
import { floatAttribute, intAttribute } from '../../src/onnx/attributes.js';
import type { Graph, Node } from '../../src/onnx/graph.js';
import {
  activationBits,
  insertQuantizers,
  type LowBits,
  WEIGHT_CLIP,
  weightDeviation,
} from '../../src/quantization/insert.js';
import { isQuantized, quantizerInputs, requantize } from '../../src/quantization/requantize.js';
import { oneStageDetector } from '../../src/training/networks/one-stage-detector.js';
import { cifarResNet } from '../../src/training/networks/resnet.js';
import { floatsOf, parametersOf, withParameters } from '../../src/training/parameters.js';

const bitsOf = (weightBits: LowBits, activationBits: LowBits) => ({ weightBits, activationBits });
const TO_2 = bitsOf(2, 2);

/** A network as training at `bits` leaves it: clips and companders have moved. */
function trainedAt(full: Graph, bits: ReturnType<typeof bitsOf>, weightNormalization = true) {
  const clips = new Map([...activationBits(full, 3).keys()].map((name) => [name, 2]));
  const settings = { intervals: 8, cells: 64, chainGradient: true, weightNormalization };
  const graph = insertQuantizers(full, { ...settings, ...bits }, clips);
  const learned = parametersOf(graph).filter(({ role }) => role === 'clip' || role === 'compander');
  const moved = learned.map(
    ({ name }) => [name, floatsOf(graph, name).map((v, i) => v + 0.3 + i)] as const,
  );
  return withParameters(graph, new Map(moved));
}

/** A clip of its own for each activation. */
function freshClips(graph: Graph) {
  const names = [...quantizerInputs(graph, 2).keys()];
  return new Map(names.map((name, i) => [name, 1 + i]));
}

const quantizersOf = (graph: Graph) => graph.nodes.filter((node) => node.opType === 'Quantize');
const isSigned = (node: Node) => intAttribute(node, 'signed') === 1;
const resnet = () => cifarResNet(8, 5, 12, 1);

describe('requantize', () => {
  test('every quantizer gets the bits, the levels, its clip, and the identity to start from', () => {
    const from = trainedAt(resnet(), bitsOf(3, 4));
    const clips = freshClips(from);
    const graph = requantize(from, TO_2, clips);
    const quantizers = quantizersOf(graph);
    assert.equal(quantizers.length, quantizersOf(from).length);
    assert.equal(clips.size, quantizers.filter((node) => !isSigned(node)).length);
    for (const node of quantizers) {
      const [x, alpha, theta] = node.inputs;
      const { weights, activations } = levelCaps[2];
      assert.equal(intAttribute(node, 'bits'), 2);
      assert.equal(intAttribute(node, 'chain'), 1);
      assert.equal(floatAttribute(node, 'cap'), isSigned(node) ? weights : activations);
      const clip = isSigned(node) ? WEIGHT_CLIP[2] : (clips.get(x) as number);
      assert.deepEqual([...floatsOf(graph, alpha)], [Math.fround(clip)]);
      assert.deepEqual([...floatsOf(graph, theta)], new Array(8).fill(0));
    }
  });

  test('weights, normalization and the graph that was given stay as they are', () => {
    const from = trainedAt(resnet(), bitsOf(3, 3));
    const before = structuredClone(from);
    const graph = requantize(from, TO_2, freshClips(from));
    assert.deepEqual(from, before);
    for (const { name, role } of parametersOf(graph)) {
      if (role === 'clip' || role === 'compander') continue;
      assert.deepEqual(floatsOf(graph, name), floatsOf(from, name), name);
    }
  });

  test('without weight normalization a clip is in units of the weights', () => {
    const from = trainedAt(resnet(), bitsOf(3, 3), false);
    const graph = requantize(from, TO_2, freshClips(from));
    for (const { inputs } of quantizersOf(graph).filter(isSigned)) {
      const weights = from.initializers.get(inputs[0]);
      assert.ok(weights);
      const clip = Math.fround(WEIGHT_CLIP[2] * weightDeviation(weights));
      assert.deepEqual([...floatsOf(graph, inputs[1])], [clip]);
    }
  });

  test('the codes of 8 bits that a detector has stay', () => {
    const from = trainedAt(oneStageDetector(2, [16, 24], 1), bitsOf(3, 3));
    const fine = (graph: Graph) =>
      quantizersOf(graph).filter((node) => intAttribute(node, 'bits') === 8);
    const graph = requantize(from, TO_2, freshClips(from));
    assert.equal(fine(from).length, 1);
    assert.deepEqual(fine(graph), fine(from));
    const [, alpha] = fine(graph)[0].inputs;
    assert.deepEqual(floatsOf(graph, alpha), floatsOf(from, alpha));
  });

  for (const [from, to] of [
    [bitsOf(2, 2), bitsOf(3, 3)],
    [bitsOf(3, 3), bitsOf(3, 3)],
    [bitsOf(3, 3), bitsOf(2, 4)],
  ] as const) {
    const text = [from, to].map((b) => `w${b.weightBits}a${b.activationBits}`);
    test(`${text[0]} does not become ${text[1]}`, () => {
      const graph = trainedAt(resnet(), from);
      assert.throws(() => requantize(graph, to, freshClips(graph)), {
        code: 'INVALID_ARGUMENT',
        message: `the network is at ${text[0]} already and cannot be taken to ${text[1]}: bits only become fewer`,
      });
    });
  }
});

test('a network is quantized once quantizers are in it', () => {
  assert.equal(isQuantized(resnet()), false);
  assert.equal(isQuantized(trainedAt(resnet(), bitsOf(2, 2))), true);
});
