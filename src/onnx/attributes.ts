import { LcqError } from '../errors.js';
import type { Attribute, Node } from './graph.js';

function find(node: Node, name: string): Attribute | undefined {
  return Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined;
}

function wrong(node: Node, name: string, expected: string): LcqError {
  return new LcqError(
    'INVALID_ARGUMENT',
    `node '${node.name}' (${node.opType}): attribute '${name}' must be ${expected}`,
  );
}

/** The int attribute `name`, or the fallback where it is absent. Throws INVALID_ARGUMENT that names the node. */
export function intAttribute(node: Node, name: string, fallback?: number): number {
  const value = find(node, name);
  if (value && 'int' in value) return value.int;
  if (!value && fallback !== undefined) return fallback;
  throw wrong(node, name, 'an int');
}

export function floatAttribute(node: Node, name: string, fallback?: number): number {
  const value = find(node, name);
  if (value && 'float' in value) return value.float;
  if (!value && fallback !== undefined) return fallback;
  throw wrong(node, name, 'a float');
}

export function stringAttribute(node: Node, name: string, fallback?: string): string {
  const value = find(node, name);
  if (value && 'string' in value) return value.string;
  if (!value && fallback !== undefined) return fallback;
  throw wrong(node, name, 'a string');
}

export function intsAttribute(
  node: Node,
  name: string,
  fallback?: readonly number[],
): readonly number[] {
  const value = find(node, name);
  if (value && 'ints' in value) return value.ints;
  if (!value && fallback !== undefined) return fallback;
  throw wrong(node, name, 'a list of ints');
}
