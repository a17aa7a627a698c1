import { intsAttribute } from './attributes.js';
import { LCQ_DOMAIN } from './domains.js';
import type { DataType, Dim, NamedType, Node } from './graph.js';

/** Element types of the outputs of the operators that give codes and streams. */
const OUTPUTS: Readonly<Record<string, readonly DataType[]>> = {
  LcqQuantize: ['uint8'],
  LcqConv: ['uint8'],
  LcqConvStream: ['int16', 'uint8'],
  LcqConvAdd: ['int16', 'uint8'],
  LcqMaxPool: ['uint8'],
  LcqMaxPoolStream: ['int16'],
};

/**
 * Types of the codes and streams in a graph. ONNX Runtime plans memory only for values of a known shape; it adds to a
 * residual stream in place then.
 * @param nodes in topological order
 * @param known shapes of graph inputs and of reals; what depends on others has no type here
 */
export function lcqValueTypes(
  nodes: readonly Node[],
  known: Iterable<readonly [string, readonly Dim[]]>,
): NamedType[] {
  const shapes = new Map(known);
  const types: NamedType[] = [];
  for (const node of nodes) {
    const input = shapes.get(node.inputs[0]);
    const dtypes = node.domain === LCQ_DOMAIN ? OUTPUTS[node.opType] : undefined;
    if (!input || !dtypes) continue;
    const shape = outputShape(node, input);
    node.outputs.forEach((name, i) => {
      shapes.set(name, shape);
      types.push({ name, type: { dtype: dtypes[i], shape } });
    });
  }
  return types;
}

function outputShape(node: Node, input: readonly Dim[]): Dim[] {
  if (node.opType === 'LcqQuantize') {
    const [n, c, h, w] = input;
    return [n, h, w, c];
  }
  const [n, height, width, channels] = input;
  const [top, left, bottom, right] = intsAttribute(node, 'pads');
  const [sh, sw] = intsAttribute(node, 'strides');
  const pool = node.opType.startsWith('LcqMaxPool');
  const [kh, kw] = pool
    ? intsAttribute(node, 'kernel_shape')
    : intsAttribute(node, 'weight_shape').slice(1);
  const [dh, dw] = pool ? [1, 1] : intsAttribute(node, 'dilations');
  const extent = (size: number, kernel: number, stride: number, dilation: number) =>
    Math.floor((size - dilation * (kernel - 1) - 1) / stride) + 1;
  return [
    n,
    extent(Number(height) + top + bottom, kh, sh, dh),
    extent(Number(width) + left + right, kw, sw, dw),
    pool ? channels : intsAttribute(node, 'weight_shape')[0],
  ];
}
