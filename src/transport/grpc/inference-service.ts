import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ModelConfiguration } from '../../serving/model-configuration.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { ModelMetadata } from '../../serving/service.js';
import type { ModelStatisticsReply } from '../../serving/statistics.js';
import {
  inferMessage,
  inferReference,
  type ModelInferRequest,
  type ModelInferResponse,
} from './infer-messages.js';
import { streamInfer } from './infer-stream.js';
import { missingExtensionMethods } from './missing-extensions.js';
import { repositoryMethods } from './repository-methods.js';
import { type GrpcContext, inferenceUnary, unary } from './unary.js';

interface ModelRequest {
  readonly name: string;
  readonly version: string;
}

/** `inference.GRPCInferenceService`: the Open Inference Protocol. */
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
    ModelConfig: unary<ModelRequest, { config: ModelConfiguration }>(
      (request) => ({ config: service.modelConfiguration(model(request)) }),
      context,
    ),
    ModelStatistics: unary<ModelRequest, { model_stats: ModelStatisticsReply[] }>(
      (request) => ({ model_stats: service.modelStatistics(model(request)) }),
      context,
    ),
    ModelInfer: inferenceUnary<ModelInferRequest, ModelInferResponse>(
      'infer',
      inferReference,
      (request, caller) => inferMessage(service, request, caller),
      context,
    ),
    ModelStreamInfer: streamInfer(context),
    ...repositoryMethods(context),
    ...missingExtensionMethods(context),
  };
}
