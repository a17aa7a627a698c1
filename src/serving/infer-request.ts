import { LcqError } from '../errors.js';
import type { Tensor, TensorSpec } from '../runtime/session.js';
import type { NamedTensors } from './tensor-batch.js';
import { elementCount, elementSize, elementsFromBytes, isTensorDataType } from './tensor-bytes.js';

/** An input tensor as a transport hands it over, nothing of it checked but the types of these fields. */
export interface InferInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** In the wire encoding of the binary tensor data extension. */
  readonly bytes: Uint8Array;
}

export interface RequestedOutput {
  readonly name: string;
  /** Wanted as the classification extension's strings of this many classes, >= 1; undefined: as it is. */
  readonly classes?: number | undefined;
}

/** What a request must agree with. */
export interface ModelContract {
  readonly name: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly maxBatchSize: number;
}

const invalid = (message: string) => new LcqError('INVALID_ARGUMENT', message);
const list = (values: readonly (string | number)[]) => `[${values.join(',')}]`;

/** Checks that exactly the model's inputs are given, each once. Messages are Triton's: clients match parts of them. */
export function checkInputNames(inputs: readonly InferInput[], model: ModelContract): void {
  const given = new Set<string>();
  for (const { name } of inputs) {
    if (!model.inputs.some((spec) => spec.name === name)) {
      throw invalid(`unexpected inference input '${name}' for model '${model.name}'`);
    }
    if (given.has(name)) throw invalid(`input '${name}' already exists in request`);
    given.add(name);
  }
  const missing = model.inputs.filter((spec) => !given.has(spec.name)).map((spec) => spec.name);
  if (missing.length === 0) return;
  throw invalid(
    `expected ${model.inputs.length} inputs but got ${given.size} inputs for model '${model.name}'. ` +
      `Got input(s) ${list([...given])}, but missing required input(s) ${list(missing)}. ` +
      'Please provide all required input(s).',
  );
}

/** The tensor of a checked input. Throws INVALID_ARGUMENT on datatype, shape, batch size or byte size. */
export function inputTensor(input: InferInput, spec: TensorSpec, model: ModelContract): Tensor {
  if (input.datatype !== spec.datatype || !isTensorDataType(input.datatype)) {
    throw invalid(
      `inference input '${input.name}' data-type is '${input.datatype}', ` +
        `but model '${model.name}' expects '${spec.datatype}'`,
    );
  }
  checkShape(input, spec.shape, model);
  const expected = elementCount(input.shape) * elementSize(input.datatype);
  if (input.bytes.byteLength !== expected) {
    throw invalid(
      `input byte size mismatch for input '${input.name}' for model '${model.name}'. ` +
        `Expected ${expected}, got ${input.bytes.byteLength}`,
    );
  }
  const data = elementsFromBytes(input.datatype, input.bytes);
  return { datatype: input.datatype, shape: input.shape, data };
}

/** `expected` has -1 where any positive size goes; axis 0 is the batch. */
export function checkShape(
  { name, shape }: Pick<InferInput, 'name' | 'shape'>,
  expected: readonly number[],
  model: ModelContract,
): void {
  const fits =
    shape.length === expected.length &&
    shape.every((size, axis) => size >= 1 && (expected[axis] === -1 || size === expected[axis]));
  if (!fits) {
    throw invalid(
      `unexpected shape for input '${name}' for model '${model.name}'. ` +
        `Expected ${list(expected)}, got ${list(shape)}.`,
    );
  }
  if (shape[0] > model.maxBatchSize) {
    throw invalid(
      `inference request batch-size must be <= ${model.maxBatchSize} for '${model.name}'`,
    );
  }
}

/** Checks that all tensors of a request have the same number of rows. */
export function checkBatchSizes(tensors: NamedTensors, model: ModelContract): void {
  const [[, first], ...others] = Object.entries(tensors);
  for (const [name, tensor] of others) {
    if (tensor.shape[0] === first.shape[0]) continue;
    throw invalid(`input '${name}' batch size does not match other inputs for '${model.name}'`);
  }
}

/** The outputs to reply with, in the order asked for; all of the model's when none is named. */
export function requestedOutputs(
  outputs: readonly RequestedOutput[] | undefined,
  model: ModelContract,
): readonly RequestedOutput[] {
  if (outputs === undefined || outputs.length === 0) return model.outputs;
  const given = new Set<string>();
  for (const { name } of outputs) {
    if (!model.outputs.some((spec) => spec.name === name)) {
      throw invalid(`unexpected inference output '${name}' for model '${model.name}'`);
    }
    if (given.has(name)) throw invalid(`output '${name}' already exists in request`);
    given.add(name);
  }
  return outputs;
}
