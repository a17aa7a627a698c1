import { LcqError } from '../../errors.js';
import type { InferInput } from '../../serving/infer-request.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { Caller, InferenceService, InferReply, InferRequest } from '../../serving/service.js';
import { bytesOfElements } from '../../serving/tensor-bytes.js';
import {
  classCount,
  type Parameters,
  refuseSharedMemory,
  schedulingParameters,
} from '../infer-parameters.js';
import { bytesOfContents, type TensorContents } from './tensor-contents.js';

/** `inference.InferParameter`: the value is in the field that `parameter_choice` names. */
type ParameterMap = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface InferInputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly string[];
  readonly parameters: ParameterMap;
  readonly contents: TensorContents | null;
}

export interface ModelInferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: ParameterMap;
  readonly inputs: readonly InferInputTensor[];
  readonly outputs: readonly { readonly name: string; readonly parameters: ParameterMap }[];
  readonly raw_input_contents: readonly Buffer[];
}

export interface ModelInferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly outputs: readonly { name: string; datatype: string; shape: readonly number[] }[];
  readonly raw_output_contents: readonly Uint8Array[];
}

export const inferReference = (request: ModelInferRequest): ModelReference => ({
  model: request.model_name,
  version: request.model_version,
});

/** Answers one infer message. Rejects as the service does, and for messages that contradict themselves. */
export async function inferMessage(
  service: InferenceService,
  request: ModelInferRequest,
  caller: Caller,
): Promise<ModelInferResponse> {
  const scheduling = schedulingParameters(plainParameters(request.parameters));
  const reply = await service.infer(readRequest(request), { ...caller, ...scheduling });
  return toResponse(reply, request.id);
}

/** 64-bit integers are strings in the map. */
function plainParameters(parameters: ParameterMap): Parameters {
  const plain = Object.entries(parameters).map(([name, parameter]) => {
    const field = parameter.parameter_choice;
    const value = parameter[field as string];
    const isInteger = field === 'int64_param' || field === 'uint64_param';
    return [name, isInteger ? Number(value) : value];
  });
  return Object.fromEntries(plain);
}

function readRequest(request: ModelInferRequest): InferRequest {
  const { inputs, outputs, raw_input_contents: raw, model_name: model } = request;
  if (raw.length > inputs.length) {
    throw new LcqError('INVALID_ARGUMENT', `unexpected additional input data for model '${model}'`);
  }
  return {
    ...inferReference(request),
    inputs: inputs.map((input, i) => readInput(input, raw.length > 0, raw[i], model)),
    outputs: outputs.map(({ name, parameters }) => {
      return { name, classes: classCount(plainParameters(parameters), name) };
    }),
  };
}

function readInput(
  input: InferInputTensor,
  isRaw: boolean,
  raw: Buffer | undefined,
  model: string,
): InferInput {
  const { name, datatype, parameters } = input;
  refuseSharedMemory(plainParameters(parameters), name);
  const shape = input.shape.map(Number);
  const bytes = isRaw ? rawBytes(input, raw, model) : typedBytes(input, model);
  return { name, datatype, shape, bytes };
}

function rawBytes({ name, contents }: InferInputTensor, raw: Buffer | undefined, model: string) {
  if (contents !== null) {
    const message =
      'contents field must not be specified when using raw_input_contents ' +
      `for '${name}' for model '${model}'`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return raw ?? missing(name, model);
}

function typedBytes({ name, datatype, contents }: InferInputTensor, model: string) {
  return contents === null
    ? missing(name, model)
    : bytesOfContents(contents, datatype, name, model);
}

function missing(name: string, model: string): never {
  throw new LcqError(
    'INVALID_ARGUMENT',
    `unable to find data for input tensor '${name}' for model '${model}' in request.`,
  );
}

/** Always raw: clients decode typed contents only for BYTES. */
function toResponse({ model, version, outputs }: InferReply, id: string): ModelInferResponse {
  return {
    model_name: model,
    model_version: version,
    id,
    outputs: outputs.map(({ name, tensor }) => ({
      name,
      datatype: tensor.datatype,
      shape: tensor.shape,
    })),
    raw_output_contents: outputs.map(({ tensor }) => bytesOfElements(tensor)),
  };
}
