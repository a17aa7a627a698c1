import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { LcqError } from '../../errors.js';
import type { InferInput } from '../../serving/infer-request.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { InferReply, ModelMetadata } from '../../serving/service.js';
import { bytesOfElements } from '../../serving/tensor-bytes.js';
import { refuseUnsupported } from '../infer-parameters.js';
import { bytesOfContents, type TensorContents } from './tensor-contents.js';
import { type GrpcContext, inferenceUnary, unary } from './unary.js';

type Parameters = Readonly<Record<string, unknown>>;

interface ModelRequest {
  readonly name: string;
  readonly version: string;
}

interface InferInputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly string[];
  readonly parameters: Parameters;
  readonly contents: TensorContents | null;
}

interface ModelInferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly inputs: readonly InferInputTensor[];
  readonly outputs: readonly { readonly name: string; readonly parameters: Parameters }[];
  readonly raw_input_contents: readonly Buffer[];
}

interface ModelInferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly outputs: readonly { name: string; datatype: string; shape: readonly number[] }[];
  readonly raw_output_contents: readonly Uint8Array[];
}

/** `inference.GRPCInferenceService`: the core of the Open Inference Protocol. */
export function inferenceService(context: GrpcContext): UntypedServiceImplementation {
  const { service } = context;
  const model = ({ name, version }: ModelRequest): ModelReference => ({ model: name, version });
  return {
    ServerLive: unary(() => ({ live: true }), context),
    ServerReady: unary(() => ({ ready: service.state === 'ready' }), context),
    ServerMetadata: unary(() => service.serverMetadata, context),
    ModelReady: unary<ModelRequest, { ready: boolean }>(
      (request) => ({ ready: service.isModelReady(model(request)) }),
      context,
    ),
    ModelMetadata: unary<ModelRequest, ModelMetadata>(
      (request) => service.modelMetadata(model(request)),
      context,
    ),
    ModelInfer: inferenceUnary<ModelInferRequest, ModelInferResponse>(
      'infer',
      inferReference,
      async (request, caller) => {
        const inputs = readInputs(request);
        const outputs = request.outputs.map(({ name }) => name);
        const reference = inferReference(request);
        return toResponse(
          await service.infer({ ...reference, inputs, outputs }, caller),
          request.id,
        );
      },
      context,
    ),
  };
}

const inferReference = (request: ModelInferRequest): ModelReference => ({
  model: request.model_name,
  version: request.model_version,
});

function readInputs(request: ModelInferRequest): InferInput[] {
  const { inputs, outputs, raw_input_contents: raw, model_name: model } = request;
  for (const { name, parameters } of [...inputs, ...outputs]) refuseUnsupported(parameters, name);
  if (raw.length > inputs.length) {
    throw new LcqError('INVALID_ARGUMENT', `unexpected additional input data for model '${model}'`);
  }
  return inputs.map((input, i) => {
    const { name, datatype } = input;
    const shape = input.shape.map(Number);
    const bytes = raw.length > 0 ? rawBytes(input, raw[i], model) : typedBytes(input, model);
    return { name, datatype, shape, bytes };
  });
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
