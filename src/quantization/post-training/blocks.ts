import type { Graph } from '../../onnx/graph.js';
import type { QuantizationPlan } from './plan.js';

/** A part of a network between two values that everything else depends on only through the later one. */
export interface Block {
  /** The value that it reads. */
  readonly from: string;
  readonly to: string;
  /** Names of its quantized layers. */
  readonly layers: readonly string[];
}

/** Layers of a block that is put together of smaller parts; a residual unit may have more. */
const MAX_LAYERS = 3;

/**
 * Cuts a graph into blocks: at values that are the only link between what is before and what is behind, and that feed
 * a quantized layer. Short chains are joined up to three layers.
 */
export function cutIntoBlocks(graph: Graph, plan: QuantizationPlan): Block[] {
  const parts = partsOf(graph, plan);
  const blocks: Block[] = [];
  for (const part of parts) {
    const last = blocks.at(-1);
    if (last && last.layers.length + part.layers.length <= MAX_LAYERS) {
      blocks[blocks.length - 1] = {
        from: last.from,
        to: part.to,
        layers: [...last.layers, ...part.layers],
      };
    } else blocks.push(part);
  }
  return blocks;
}

/** The smallest parts. */
function partsOf(graph: Graph, plan: QuantizationPlan): Block[] {
  const lastReader = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const name of node.inputs) lastReader.set(name, i);
  });
  for (const { name } of graph.outputs) lastReader.set(name, graph.nodes.length);
  const parts: Block[] = [];
  const live = new Set(graph.inputs.map(({ name }) => name));
  let from = graph.inputs[0].name;
  let layers: string[] = [];
  graph.nodes.forEach((node, i) => {
    if (plan.layers.has(node)) layers.push(node.name);
    for (const name of [...live]) if ((lastReader.get(name) ?? -1) <= i) live.delete(name);
    for (const name of node.outputs) if (lastReader.has(name)) live.add(name);
    const [to] = node.outputs;
    const feeds = plan.activations.has(to) || i === graph.nodes.length - 1;
    if (live.size !== 1 || !live.has(to) || !feeds || layers.length === 0) return;
    parts.push({ from, to, layers });
    from = to;
    layers = [];
  });
  return parts;
}

/** The part of a graph that computes `to` out of `from`. */
export function subgraph(graph: Graph, from: string, to: readonly string[]): Graph {
  const needed = new Set(to);
  const nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      const used = node.outputs.some((output) => output !== from && needed.has(output));
      if (used) for (const input of node.inputs) needed.add(input);
      return used;
    })
    .toReversed();
  return { ...graph, nodes };
}
