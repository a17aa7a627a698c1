import { floatAttribute } from '../attributes.js';
import { tensorOf } from '../elements.js';
import type { Node, TensorData } from '../graph.js';
import { type Pass, rewrite } from './pass.js';

/** Gives a Clip that carries its bounds as attributes (before opset 11) constant inputs instead. */
export const clipBounds: Pass = (graph) => {
  const replacements = new Map<Node, Node[]>();
  const constants: [string, TensorData][] = [];
  for (const node of graph.nodes) {
    const { min, max } = node.attributes;
    if (node.opType !== 'Clip' || node.domain !== '' || !(min || max)) continue;
    const bound = (name: 'min' | 'max') => {
      if (!node.attributes[name]) return '';
      const value = Float32Array.of(floatAttribute(node, name));
      const constant = `${node.outputs[0]}.${name}`;
      constants.push([constant, tensorOf('float32', [], value)]);
      return constant;
    };
    const inputs = [node.inputs[0], bound('min'), bound('max')];
    replacements.set(node, [{ ...node, inputs, attributes: {} }]);
  }
  return rewrite(graph, replacements, constants);
};
