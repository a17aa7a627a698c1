import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';

const protoFolder = fileURLToPath(new URL('../../../../proto/', import.meta.url));

/** The contracts of proto/ and of gRPC's health checking, as messages with the field names of the .proto files; 64-bit integers are strings. */
export const packageDefinition: PackageDefinition = loadSync(
  ['open_inference.proto', 'vision.proto', healthProto],
  { includeDirs: [protoFolder], keepCase: true, longs: String, defaults: true, oneofs: true },
);

export const INFERENCE_SERVICE = 'inference.GRPCInferenceService';
export const VISION_SERVICE = 'lcq.v1.Vision';

export const serviceDefinition = (name: typeof INFERENCE_SERVICE | typeof VISION_SERVICE) =>
  packageDefinition[name] as ServiceDefinition;
