import { LcqError } from '../errors.js';
import { levelCaps } from '../lcq/levels.js';
import { intAttribute } from '../onnx/attributes.js';
import { TRAINING_DOMAIN } from '../onnx/domains.js';
import { tensorOf } from '../onnx/elements.js';
import type { Graph, Node } from '../onnx/graph.js';
import { type LowBits, WEIGHT_CLIP } from './insert.js';

type Bits = { readonly weightBits: LowBits; readonly activationBits: LowBits };

/** One of few bits: those of 8 stay. */
const isQuantizer = (node: Node): boolean =>
  node.domain === TRAINING_DOMAIN && node.opType === 'Quantize' && intAttribute(node, 'bits') < 8;
const isSigned = (node: Node): boolean => intAttribute(node, 'signed') === 1;

/** Whether `insertQuantizers` has been here. */
export function isQuantized(graph: Graph): boolean {
  return graph.nodes.some(isQuantizer);
}

/** The bits that the activation quantizers of a quantized graph get, by the value that each reads. */
export function quantizerInputs(graph: Graph, bits: LowBits): ReadonlyMap<string, LowBits> {
  const quantizers = graph.nodes.filter((node) => isQuantizer(node) && !isSigned(node));
  return new Map(quantizers.map((node) => [node.inputs[0], bits]));
}

/**
 * Takes a network that was trained at some bits to fewer: progressive initialization, as low bits train better from
 * the weights of the next higher ones than from full precision. Weights and normalization stay. Clips start anew, since
 * their best place depends on the number of levels, and so do the companders, which were learned for those levels.
 * @param clips the starting clip of each of `quantizerInputs`
 * @throws LcqError INVALID_ARGUMENT unless the bits are fewer than those of the graph, or some fewer and none more
 */
export function requantize(graph: Graph, bits: Bits, clips: ReadonlyMap<string, number>): Graph {
  checkFewer(graph, bits);
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node) => {
    if (!isQuantizer(node)) return node;
    const [x, alpha, theta] = node.inputs;
    const signed = isSigned(node);
    const count = signed ? bits.weightBits : bits.activationBits;
    const clip = signed ? WEIGHT_CLIP[bits.weightBits] : (clips.get(x) as number);
    const { shape } = initializers.get(theta) as { shape: readonly number[] };
    initializers.set(alpha, tensorOf('float32', [1], Float32Array.of(clip)));
    initializers.set(theta, tensorOf('float32', shape, new Float32Array(shape[0])));
    const cap = signed ? levelCaps[count].weights : levelCaps[count].activations;
    return {
      ...node,
      attributes: { ...node.attributes, bits: { int: count }, cap: { float: cap } },
    };
  });
  return { ...graph, nodes, initializers };
}

function checkFewer(graph: Graph, { weightBits, activationBits }: Bits): void {
  const bitsOf = (signed: boolean): number => {
    const node = graph.nodes.find((n) => isQuantizer(n) && isSigned(n) === signed) as Node;
    return intAttribute(node, 'bits');
  };
  const [weights, activations] = [bitsOf(true), bitsOf(false)];
  const none = weightBits === weights && activationBits === activations;
  if (!none && weightBits <= weights && activationBits <= activations) return;
  const wanted = `w${weightBits}a${activationBits}`;
  throw new LcqError(
    'INVALID_ARGUMENT',
    `the network is at w${weights}a${activations} already and cannot be taken to ${wanted}: bits only become fewer`,
  );
}
