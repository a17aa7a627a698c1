/** `lcq-serving/client`: asks a server, over REST or gRPC. */
export type * from '../client/client.js';
export { GrpcClient, type GrpcClientOptions, type TlsOptions } from '../client/grpc-client.js';
export { RestClient, type RestClientOptions } from '../client/rest-client.js';
export { type ErrorCode, LcqError } from '../errors.js';
