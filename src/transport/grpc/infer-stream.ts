import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import type { Caller } from '../../serving/service.js';
import { publicError } from '../public-error.js';
import {
  inferMessage,
  inferReference,
  type ModelInferRequest,
  type ModelInferResponse,
} from './infer-messages.js';
import { inferenceStream } from './streaming.js';
import type { GrpcContext } from './unary.js';

interface ModelStreamInferResponse {
  readonly error_message?: string;
  readonly infer_response: Partial<ModelInferResponse> & { readonly parameters?: object };
}

/** Every response is the only one of its request. */
const FINAL = { triton_final_response: { bool_param: true } };

/**
 * `ModelStreamInfer`. A request that fails is answered with its error as a message, and the stream goes on; with the
 * metadata `triton_grpc_error: true` it ends the stream with its status.
 */
export function streamInfer(
  context: GrpcContext,
): handleBidiStreamingCall<ModelInferRequest, ModelStreamInferResponse> {
  const infer = async (
    request: ModelInferRequest,
    caller: Caller,
  ): Promise<ModelStreamInferResponse> => {
    const response = await inferMessage(context.service, request, caller);
    return { infer_response: { ...response, parameters: FINAL } };
  };
  const asMessage = ({ id }: ModelInferRequest, thrown: unknown): ModelStreamInferResponse => {
    return { error_message: publicError(thrown).message, infer_response: { id } };
  };
  const goingOn = inferenceStream('infer', inferReference, infer, context, asMessage);
  const endingOnError = inferenceStream('infer', inferReference, infer, context);
  return (call) => {
    const endsOnError = call.metadata.get('triton_grpc_error').includes('true');
    return endsOnError ? endingOnError(call) : goingOn(call);
  };
}
