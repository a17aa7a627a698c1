import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';
import sharp from 'sharp';
import { configSchema, type ServerConfig } from '../../src/config/schema.js';
import { ModelServer, type Ports } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import {
  type ColourSession,
  colourSession,
  withColourRepository,
} from '../serving/colour-model.js';

export interface ServerUnderTest {
  readonly server: ModelServer;
  readonly ports: Ports;
  readonly session: ColourSession;
  /** Of the REST port. */
  readonly url: string;
  readonly vision: GrpcClient;
  readonly inference: GrpcClient;
  metrics(): Promise<string>;
}

/** Runs a server of the colour model on free ports of 127.0.0.1 with real clients, and stops it afterwards. */
export async function withServer<T>(
  use: (context: ServerUnderTest) => Promise<T>,
  settings: Partial<ServerConfig> = {},
  session = colourSession(),
): Promise<T> {
  return withColourRepository(async (modelRepository) => {
    const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository, ...settings });
    const openSession = async () => session;
    const server = new ModelServer(config, { openSession, log: createLogger('silent') });
    const ports = await server.listen();
    const vision = new GrpcClient('lcq.v1.Vision', ports.grpc);
    const inference = new GrpcClient('inference.GRPCInferenceService', ports.grpc);
    try {
      await server.load();
      session.batches.length = 0;
      return await use({
        server,
        ports,
        session,
        url: `http://127.0.0.1:${ports.http}`,
        vision,
        inference,
        metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
      });
    } finally {
      vision.close();
      inference.close();
      await server.close();
    }
  });
}

export const TEST_SETTINGS = {
  host: '127.0.0.1',
  httpPort: 0,
  grpcPort: 0,
  metricsPort: 0,
  threads: 1,
  // How long a request waits depends on what else the machine does.
  maxQueueWaitMs: 0,
};

const definition = loadSync(['open_inference.proto', 'vision.proto'], {
  includeDirs: [fileURLToPath(new URL('../../../proto/', import.meta.url))],
  keepCase: true,
  defaults: true,
  longs: Number,
});

export interface RestReply {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** Of a JSON reply. */
  // biome-ignore lint/suspicious/noExplicitAny: responses have no types here, tests say what they expect
  readonly json: any;
}

/** A request to the REST port; a body means POST unless `init` says otherwise. */
export async function rest(
  url: string,
  body?: Uint8Array | string | FormData,
  init: RequestInit = {},
): Promise<RestReply> {
  const method = body === undefined ? 'GET' : 'POST';
  const response = await fetch(url, { method, ...init, ...(body === undefined ? {} : { body }) });
  const bytes = Buffer.from(await response.arrayBuffer());
  const type = response.headers.get('content-type');
  const json = type === 'application/json' ? JSON.parse(bytes.toString()) : undefined;
  return { status: response.status, type, headers: response.headers, bytes, json };
}

/** A client by method name; messages are plain objects with the field names of the .proto files. */
export class GrpcClient {
  readonly #service: grpc.ServiceDefinition;
  readonly #client: grpc.Client;

  constructor(service: string, port: number, credentials = grpc.credentials.createInsecure()) {
    this.#service = definition[service] as unknown as grpc.ServiceDefinition;
    this.#client = new grpc.Client(`127.0.0.1:${port}`, credentials, {
      'grpc.max_receive_message_length': -1,
    });
  }

  /** Resolves to the response; rejects with a grpc.ServiceError. */
  call(
    method: string,
    request: object,
    options: grpc.CallOptions = {},
    metadata = new grpc.Metadata(),
    // biome-ignore lint/suspicious/noExplicitAny: responses have no types here, tests say what they expect
  ): Promise<any> {
    return new Promise((resolve, reject) => {
      const done = (error: grpc.ServiceError | null, response: unknown) =>
        error === null ? resolve(response) : reject(error);
      this.start(method, request, options, done, metadata);
    });
  }

  /** The same with a callback, for calls that are cancelled. */
  start(
    method: string,
    request: object,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<unknown>,
    metadata = new grpc.Metadata(),
  ): grpc.ClientUnaryCall {
    const { path, requestSerialize, responseDeserialize } = this.#service[method];
    return this.#client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      callback,
    );
  }

  /** A call that streams both ways. */
  stream<Request, Response>(
    method: string,
    metadata = new grpc.Metadata(),
  ): grpc.ClientDuplexStream<Request, Response> {
    const { path, requestSerialize, responseDeserialize } = this.#service[method];
    return this.#client.makeBidiStreamRequest<Request, Response>(
      path,
      requestSerialize,
      responseDeserialize,
      metadata,
    );
  }

  close(): void {
    this.#client.close();
  }
}

/** What grpc.health.v1 says of the vision service. */
export async function health(port: number): Promise<string> {
  const Client = grpc.makeGenericClientConstructor(
    healthService as unknown as grpc.ServiceDefinition,
    'Health',
  );
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  try {
    return await new Promise((resolve, reject) => {
      client.check(
        { service: 'lcq.v1.Vision' },
        (error: Error | null, reply: { status: string }) =>
          error ? reject(error) : resolve(reply.status),
      );
    });
  } finally {
    client.close();
  }
}

/** An encoded picture of one colour. */
export async function solidImage(
  [r, g, b]: readonly [number, number, number],
  format: 'jpeg' | 'png' | 'webp' = 'png',
  width = 8,
  height = 8,
): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .toFormat(format)
    .toBuffer();
}
