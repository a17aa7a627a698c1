import { elementsOf, tensorOf } from '../elements.js';
import type { Graph, Node, TensorData } from '../graph.js';
import { type Pass, rewrite, soleReader } from './pass.js';

/**
 * Drops the rows of a Gemm's weights (transB = 1) whose results a Slice behind it throws away, e.g. a background class.
 */
export const slicedGemm: Pass = (graph) => {
  const reader = soleReader(graph);
  const replacements = new Map<Node, Node[]>();
  const constants: [string, TensorData][] = [];
  for (const gemm of graph.nodes) {
    if (gemm.opType !== 'Gemm' || gemm.domain !== '') continue;
    const slice = reader(gemm.outputs[0], 'Slice');
    const [weight, bias] = gemm.inputs.slice(1).map((name) => graph.initializers.get(name));
    if (!slice || !weight || !bias || !('transB' in gemm.attributes)) continue;
    const range = columnsOf(graph, slice, weight.shape[0]);
    if (!range || bias.shape.length !== 1) continue;
    const names = gemm.inputs.slice(1).map((name) => `${name}.sliced`);
    constants.push([names[0], rows(weight, range)], [names[1], rows(bias, range)]);
    replacements.set(gemm, []);
    replacements.set(slice, [
      { ...gemm, inputs: [gemm.inputs[0], ...names], outputs: slice.outputs },
    ]);
  }
  return rewrite(graph, replacements, constants);
};

/** The columns that a Slice along axis 1 keeps, if that is all it does. */
function columnsOf(graph: Graph, slice: Node, count: number): [number, number] | undefined {
  const lists = slice.inputs.slice(1).map((name) => {
    const tensor = graph.initializers.get(name);
    return tensor?.dtype === 'int64' ? Array.from(elementsOf(tensor, 'int64'), Number) : [];
  });
  const [starts, ends, axes = [], steps = [1]] = lists;
  const plain = [starts, ends, axes, steps].every((list) => list.length === 1) && steps[0] === 1;
  if (!plain || (axes[0] !== 1 && axes[0] !== -1)) return undefined;
  const [start, end] = [starts[0], ends[0]].map((at) =>
    Math.min(count, Math.max(0, at < 0 ? at + count : at)),
  );
  return start < end ? [start, end] : undefined;
}

function rows(tensor: TensorData, [start, end]: readonly [number, number]): TensorData {
  const [count, ...rest] = tensor.shape;
  const floats = elementsOf(tensor, 'float32');
  const size = floats.length / count;
  return tensorOf('float32', [end - start, ...rest], floats.slice(start * size, end * size));
}
