import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Classification } from '../../serving/classification.js';
import { type GrpcContext, inferenceUnary } from './unary.js';

interface ClassifyRequest {
  readonly model: string;
  readonly version: string;
  readonly image: Buffer;
  readonly top_k: number;
}

/** `lcq.v1.Vision`. */
export function visionService(context: GrpcContext): UntypedServiceImplementation {
  return {
    Classify: inferenceUnary<ClassifyRequest, Classification>(
      'classify',
      (request) => request,
      ({ model, version, image, top_k: topK }, caller) =>
        // 0 is how proto3 says absent.
        context.service.classify({ model, version, image, topK: topK || undefined }, caller),
      context,
    ),
  };
}
