import type { GraphBuilder, Value } from '../../onnx/builder.js';
import type { Node, TensorData } from '../../onnx/graph.js';

/** What a rule sees of the node that it lowers. */
export interface RuleContext {
  readonly builder: GraphBuilder;
  readonly node: Node;
  /** Inputs as already lowered; optional ones that were left out are skipped. */
  readonly inputs: readonly Value[];
  /** Batch statistics and their running averages are used instead of stored ones. */
  readonly training: boolean;
  /** The constant behind input `i`, e.g. the axes of a Slice. Throws an UNSUPPORTED LcqError if it is not constant. */
  constant(i: number): TensorData;
  /** Declares the next value of a stored statistic, input `i` of the node. */
  update(i: number, next: Value): void;
}

/**
 * One row of the gradient table: lowers a forward node to standard ONNX nodes and says how gradients flow back
 * (a vector-Jacobian product). `pullback` maps the gradient of the first output to thunks for the gradient of each input; a thunk
 * is only called where that gradient is wanted. null marks an input that never has one.
 */
export type Rule = (context: RuleContext) => {
  readonly output: Value;
  readonly pullback: (dy: Value) => readonly ((() => Value) | null)[];
};
