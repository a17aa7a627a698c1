import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Classification } from '../../serving/classification.js';
import type { DetectionReply } from '../../serving/detection.js';
import type { Caller } from '../../serving/service.js';
import { inferenceStream } from './streaming.js';
import { type GrpcContext, inferenceUnary } from './unary.js';

interface PictureRequest {
  readonly model: string;
  readonly version: string;
  readonly image: Buffer;
}

interface ClassifyRequest extends PictureRequest {
  readonly top_k: number;
}

interface DetectRequest extends PictureRequest {
  /** Absent if not set: these two have presence. */
  readonly score_threshold?: number;
  readonly iou_threshold?: number;
  readonly max_detections: number;
}

/** `lcq.v1.Vision`. */
export function visionService(context: GrpcContext): UntypedServiceImplementation {
  const { service } = context;
  const model = (request: PictureRequest) => request;
  const detect = (request: DetectRequest, caller: Caller): Promise<DetectionReply> =>
    service.detect(
      {
        model: request.model,
        version: request.version,
        image: request.image,
        scoreThreshold: request.score_threshold,
        iouThreshold: request.iou_threshold,
        // 0 is how proto3 says absent.
        maxDetections: request.max_detections || undefined,
      },
      caller,
    );
  return {
    Classify: inferenceUnary<ClassifyRequest, Classification>(
      'classify',
      model,
      ({ model, version, image, top_k: topK }, caller) =>
        service.classify({ model, version, image, topK: topK || undefined }, caller),
      context,
    ),
    Detect: inferenceUnary<DetectRequest, DetectionReply>('detect', model, detect, context),
    DetectStream: inferenceStream<DetectRequest, DetectionReply>('detect', model, detect, context),
  };
}
