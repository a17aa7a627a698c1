import { intAttribute } from '../attributes.js';
import type { Graph, Node, TensorData } from '../graph.js';
import { type Pass, rewrite, soleReader } from './pass.js';

/**
 * Turns GlobalAveragePool, 1x1 Conv, Flatten into GlobalAveragePool, Flatten, Gemm: a convolution of one pixel is a
 * fully connected layer. Only for a Conv of one group with a bias, without padding.
 */
export const pooledConvolution: Pass = (graph) => {
  const reader = soleReader(graph);
  const replacements = new Map<Node, Node[]>();
  const constants: [string, TensorData][] = [];
  for (const pool of graph.nodes) {
    if (pool.opType !== 'GlobalAveragePool' || pool.domain !== '') continue;
    const conv = reader(pool.outputs[0], 'Conv');
    const flatten = conv && reader(conv.outputs[0], 'Flatten');
    if (!conv || !flatten || intAttribute(flatten, 'axis', 1) !== 1) continue;
    const weight = pointwiseWeight(graph, conv);
    if (!weight) continue;
    const name = `${conv.name}.gemm_weight`;
    const flat = `${pool.outputs[0]}.flat`;
    constants.push([name, { ...weight, shape: weight.shape.slice(0, 2) }]);
    replacements.set(conv, [
      { ...flatten, inputs: [pool.outputs[0]], outputs: [flat], attributes: { axis: { int: 1 } } },
    ]);
    replacements.set(flatten, [
      {
        name: conv.name,
        opType: 'Gemm',
        domain: '',
        inputs: [flat, name, conv.inputs[2]],
        outputs: flatten.outputs,
        attributes: { transB: { int: 1 } },
      },
    ]);
  }
  return rewrite(graph, replacements, constants);
};

function pointwiseWeight(graph: Graph, conv: Node): TensorData | undefined {
  const weight = graph.initializers.get(conv.inputs[1]);
  const { pads } = conv.attributes;
  const padded = pads && 'ints' in pads && pads.ints.some((p) => p !== 0);
  const pointwise =
    weight?.dtype === 'float32' && weight.shape.slice(2).every((size) => size === 1);
  const fits = pointwise && conv.inputs[2] && !padded && intAttribute(conv, 'group', 1) === 1;
  return fits ? weight : undefined;
}
