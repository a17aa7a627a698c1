import type { AddressInfo, Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { ERROR_CODES, LcqError } from '../../errors.js';
import type { Logger } from '../../observability/logger.js';
import type { Metrics } from '../../observability/metrics.js';
import type { RequestObserver } from '../../observability/request-observer.js';
import type { AccessControl } from '../../security/access-control.js';
import type { TlsMaterial } from '../../security/tls-material.js';
import type { ModelControl } from '../../serving/model-control.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { InferenceService } from '../../serving/service.js';
import { publicError } from '../public-error.js';
import { guardRoutes } from './access.js';
import { decodeBody, encodeReply } from './compression.js';
import { docsRoutes } from './docs.js';
import { sendJson } from './endpoint.js';
import { answerWithWords, refuseMalformedHttp } from './malformed-http.js';
import { missingExtensionRoutes } from './missing-extensions.js';
import { modelRoutes } from './models.js';
import { observeWith } from './observe.js';
import { openInferenceRoutes } from './open-inference.js';
import { playgroundRoutes } from './playground/playground.js';
import { repositoryRoutes } from './repository.js';
import { reportTimings } from './timing.js';
import { visionRoutes } from './vision.js';

/** Longest time for a whole request to arrive, and for its headers; a slower sender is cut off. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Above the 60 s after which common proxies drop an idle connection, so that it is theirs to close. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** No route has a schema: fastify's compilers for them are a sixth of all that a start would load. */
const noSchemas = () => {
  throw new LcqError('INTERNAL', 'routes have no schemas');
};

const HTTP_OPTIONS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  // See `answerWithWords`.
  requireHostHeader: false,
};

export interface RestOptions {
  readonly service: InferenceService;
  readonly models: ModelControl;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly observer: RequestObserver;
  readonly access: AccessControl;
  /** Undefined: plain connections. */
  readonly tls: TlsMaterial | undefined;
  readonly maxBodyBytes: number;
  readonly maxImageBytes: number;
  /** Whether the playground is served at `/`. */
  readonly playground: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request counts as: `OK` or an error code. */
    outcome: string;
  }
}

/** The REST server: pictures, and the core of the Open Inference Protocol. */
export class RestServer {
  readonly #app: FastifyInstance;
  /** Connections that have not sent a request yet, by the other end: with TLS a request's socket is not the connection's. */
  readonly #silent = new Map<string, Socket>();

  constructor(options: RestOptions) {
    this.#app = fastify({
      bodyLimit: options.maxBodyBytes,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      ...(options.tls === undefined ? { http: HTTP_OPTIONS } : { https: tlsOptions(options.tls) }),
      // While closing, requests on open connections are still answered; the replies say `connection: close`.
      return503OnClosing: false,
      // A start on a machine without time to spare is slow, not wrong.
      pluginTimeout: 0,
      routerOptions: { maxParamLength: 256 },
      schemaController: {
        compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
      },
      clientErrorHandler: refuseMalformedHttp,
      frameworkErrors: (error, _request, reply) => void sendError(reply, toLcqError(error)),
    });
    readBodiesAsBytes(this.#app, options.maxBodyBytes);
    this.#app.addHook('onSend', encodeReply);
    observeRequests(this.#app, options);
    observeWith(this.#app, options.observer);
    reportTimings(this.#app);
    answerWithWords(this.#app);
    guardRoutes(this.#app, options.access);
    this.#app.addHook('onRequest', refuseEncodedForms);
    refuseWhenFull(this.#app, options.service);
    this.#app.addHook('onSend', async (_request, reply) => {
      // A kept-alive connection would outlive the drain.
      if (options.service.state === 'draining') reply.header('connection', 'close');
    });
    handleErrors(this.#app, options.log);
    this.#app.server.on('connection', (socket) => {
      const peer = peerOf(socket);
      this.#silent.set(peer, socket);
      socket.once('close', () => this.#silent.delete(peer));
    });
    this.#app.server.on('request', ({ socket }) => this.#silent.delete(peerOf(socket)));
    this.#app.register(modelRoutes, options);
    this.#app.register(visionRoutes, options);
    this.#app.register(openInferenceRoutes, options);
    this.#app.register(repositoryRoutes, options);
    this.#app.register(missingExtensionRoutes);
    this.#app.register(docsRoutes);
    if (options.playground) this.#app.register(playgroundRoutes);
  }

  /** Resolves to the port. Rejects with UNAVAILABLE if it cannot be had, with INTERNAL if the routes cannot be made. */
  async listen(host: string, port: number): Promise<number> {
    try {
      await this.#app.ready();
    } catch (cause) {
      const message = `the REST routes cannot be made: ${(cause as Error).message}`;
      throw new LcqError('INTERNAL', message, { cause });
    }
    try {
      await this.#app.listen({ host, port });
    } catch (cause) {
      throw new LcqError('UNAVAILABLE', `cannot listen on ${host}:${port}`, { cause });
    }
    return (this.#app.server.address() as AddressInfo).port;
  }

  /** Takes other certificates for the connections from now on; only where there were some from the start. */
  setTls(material: TlsMaterial): void {
    (this.#app.server as unknown as TlsServer).setSecureContext({ ...material });
  }

  /** Accepts no new connections and resolves when the open requests are answered. */
  async close(): Promise<void> {
    const closed = this.#app.close();
    // Pools open connections ahead of need; node:http waits for these as if they were busy.
    for (const socket of this.#silent.values()) socket.destroy();
    await closed;
  }

  /** Cuts off what is still open. */
  closeNow(): void {
    this.#app.server.closeAllConnections();
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

const tlsOptions = (material: TlsMaterial) => ({
  ...material,
  requestCert: material.ca !== undefined,
  handshakeTimeout: HEADERS_TIMEOUT_MS,
  ...HTTP_OPTIONS,
});

/** Bodies are bytes until a handler knows better: clients send tensors and pictures under any type, or none. */
function readBodiesAsBytes(app: FastifyInstance, maxBodyBytes: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) =>
      decodeBody(body, request.headers['content-encoding'], maxBodyBytes),
  );
}

/** Counts each inference request once, when its reply or its connection ends. */
function observeRequests(app: FastifyInstance, options: RestOptions): void {
  app.decorateRequest('outcome', 'OK');
  app.addHook('onRequest', async (request, reply) => {
    reply.raw.once('close', () => observe(request, reply, options));
  });
}

/** Before the body is read: under overload most of what arrives is refused, and must cost next to nothing. */
function refuseWhenFull(app: FastifyInstance, service: InferenceService): void {
  app.addHook('onRequest', async ({ routeOptions, params }) => {
    if (routeOptions.config.operation !== undefined) service.refuseIfFull(params as ModelReference);
  });
}

function handleErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = toLcqError(thrown);
    if (error.code === 'INTERNAL') log.error({ err: thrown, url: request.url }, 'defect');
    return sendError(reply, error);
  });
  app.setNotFoundHandler((_request, reply) =>
    sendError(reply, new LcqError('NOT_FOUND', 'Not Found')),
  );
}

/** Forms have a reader of their own, which knows no content encoding. */
async function refuseEncodedForms(request: FastifyRequest): Promise<void> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  const isForm = request.headers['content-type']?.startsWith('multipart/') ?? false;
  if (encoding === 'identity' || !isForm) return;
  const message = `content encoding '${encoding}' is not supported for forms`;
  throw new LcqError('UNSUPPORTED_MEDIA_TYPE', message);
}

function sendError(reply: FastifyReply, error: LcqError) {
  reply.request.outcome = error.code;
  const { code, message } = publicError(error);
  return sendJson(reply.code(ERROR_CODES[code].http), { error: message, code });
}

/** Fastify and its plugins throw errors of their own for what they refuse; their status says what kind it is. */
function toLcqError(thrown: FastifyError | LcqError): LcqError {
  if (thrown instanceof LcqError) return thrown;
  const status = thrown.statusCode ?? 500;
  if (status >= 500) return LcqError.from(thrown);
  const code =
    status === 413 ? 'TOO_LARGE' : status === 415 ? 'UNSUPPORTED_MEDIA_TYPE' : 'INVALID_ARGUMENT';
  return new LcqError(code, thrown.message, { cause: thrown });
}

function observe(
  request: FastifyRequest,
  reply: FastifyReply,
  { service, metrics }: RestOptions,
): void {
  const { operation } = request.routeOptions.config;
  if (operation === undefined) return;
  metrics.request({
    protocol: 'rest',
    operation,
    labels: service.labelsOf(request.params as ModelReference),
    code: reply.raw.writableFinished ? request.outcome : 'CANCELLED',
    seconds: reply.elapsedTime / 1000,
  });
}
