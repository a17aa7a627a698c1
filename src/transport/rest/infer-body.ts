import { z } from 'zod';
import { LcqError } from '../../errors.js';
import type { TensorSpec } from '../../runtime/session.js';
import type { InferInput, RequestedOutput } from '../../serving/infer-request.js';
import {
  classCount,
  refuseSharedMemory,
  type SchedulingParameters,
  schedulingParameters,
} from '../infer-parameters.js';
import { bytesOfJson } from './json-tensor.js';

const parameters = z.record(z.string(), z.unknown()).optional();

const bodySchema = z.object({
  id: z.string().optional(),
  parameters,
  inputs: z.array(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.int().min(0)),
      parameters,
      data: z.unknown().optional(),
    }),
  ),
  outputs: z.array(z.object({ name: z.string(), parameters })).optional(),
});

type JsonInput = z.infer<typeof bodySchema>['inputs'][number];

/** An infer request off the wire, and how its reply is to be written. */
export interface InferBody {
  readonly id: string | undefined;
  readonly inputs: readonly InferInput[];
  /** Undefined: all. */
  readonly outputs: readonly RequestedOutput[] | undefined;
  readonly scheduling: SchedulingParameters;
  wantsBinary(output: string): boolean;
}

const invalid = (message: string) => new LcqError('INVALID_ARGUMENT', message);

/**
 * Reads the body of `POST .../infer`: JSON, or JSON followed by raw tensors (binary tensor data extension, where
 * `jsonLength` is the Inference-Header-Content-Length header).
 *
 * Throws INVALID_ARGUMENT naming the field, UNSUPPORTED for extensions that this server does not have.
 */
export function parseInferBody(
  body: Buffer,
  jsonLength: string | undefined,
  model: string,
): InferBody {
  const length = parseJsonLength(jsonLength, body.length);
  const json = parseJson(body.subarray(0, length));
  for (const { name, parameters } of json.inputs) refuseSharedMemory(parameters, name);
  const binary = new Map(
    json.outputs?.map(({ name, parameters }) => [name, parameters?.binary_data]),
  );
  return {
    id: json.id,
    inputs: takeInputs(json.inputs, body.subarray(length), model),
    outputs: json.outputs?.map(({ name, parameters }) => {
      return { name, classes: classCount(parameters, name) };
    }),
    scheduling: schedulingParameters(json.parameters),
    wantsBinary: (output) =>
      (binary.get(output) ?? json.parameters?.binary_data_output ?? false) === true,
  };
}

/** A raw binary request (Inference-Header-Content-Length: 0): the body is the one input's data, a batch of 1. */
export function rawInferBody(body: Buffer, inputs: readonly TensorSpec[]): InferBody {
  if (inputs.length !== 1) {
    throw invalid(`a raw binary request needs a model with one input, not ${inputs.length}`);
  }
  const [{ name, datatype, shape }] = inputs;
  return {
    id: undefined,
    inputs: [{ name, datatype, shape: [1, ...shape.slice(1)], bytes: body }],
    outputs: undefined,
    scheduling: {},
    wantsBinary: () => true,
  };
}

function parseJsonLength(header: string | undefined, bodyLength: number): number {
  if (header === undefined) return bodyLength;
  const length = /^[0-9]{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (length <= bodyLength) return length;
  throw invalid(`inference header size should be in range (0, ${bodyLength}), got: ${header}`);
}

function parseJson(bytes: Buffer): z.infer<typeof bodySchema> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', 'the request is not valid JSON', { cause });
  }
  const parsed = bodySchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue.path.length > 0 ? `'${issue.path.join('.')}': ` : '';
  throw invalid(`invalid inference request: ${field}${issue.message}`);
}

/** Raw tensors follow the JSON in the order of `inputs`, one for each that states a `binary_data_size`. */
function takeInputs(inputs: readonly JsonInput[], tail: Buffer, model: string): InferInput[] {
  let at = 0;
  const taken = inputs.map((input) => {
    const { name, datatype, shape, data } = input;
    const size = binarySize(input, inputs.length === 1 ? tail.length : 0);
    if (size === undefined) {
      return { name, datatype, shape, bytes: bytesOfJson(name, datatype, shape, data) };
    }
    const missing = at + size - tail.length;
    if (missing > 0) {
      throw invalid(
        `unexpected size for input '${name}', expecting ${missing} additional bytes for model '${model}'`,
      );
    }
    at += size;
    return { name, datatype, shape, bytes: tail.subarray(at - size, at) };
  });
  if (at < tail.length) throw invalid(`unexpected additional input data for model '${model}'`);
  return taken;
}

/** OpenVINO clients leave the size out where there is one input: all that follows the JSON is its data. */
function binarySize({ name, data, parameters }: JsonInput, rest: number): number | undefined {
  const size = parameters?.binary_data_size ?? (data === undefined && rest > 0 ? rest : undefined);
  if (size === undefined) return undefined;
  if (data !== undefined) {
    throw invalid(
      "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters'. " +
        `But both are set for input '${name}'`,
    );
  }
  if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size;
  throw invalid(`'binary_data_size' of input '${name}' must be a non-negative integer`);
}
