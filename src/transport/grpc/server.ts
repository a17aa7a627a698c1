import { setTimeout } from 'node:timers/promises';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { LcqError } from '../../errors.js';
import type { RequestObserver } from '../../observability/request-observer.js';
import type { AccessControl } from '../../security/access-control.js';
import type { TlsMaterial } from '../../security/tls-material.js';
import type { InferenceService } from '../../serving/service.js';
import { accessInterceptor } from './access.js';
import { callStatusInterceptor } from './call-status.js';
import { ReloadableCredentials } from './credentials.js';
import {
  INFERENCE_SERVICE,
  packageDefinition,
  serviceDefinition,
  VISION_SERVICE,
} from './definitions.js';
import { widenFlowControl } from './flow-control.js';
import { healthWatchInterceptor } from './health-watch.js';
import { inferenceService } from './inference-service.js';
import { observeInterceptor } from './observe.js';
import { addReflection } from './reflection.js';
import type { GrpcContext } from './unary.js';
import { visionService } from './vision-service.js';

export interface GrpcOptions extends GrpcContext {
  readonly maxMessageBytes: number;
  /** In ms; 0: connections may grow as old as they like. */
  readonly connectionAgeMs: number;
  readonly observer: RequestObserver;
  readonly access: AccessControl;
  /** Undefined: plain connections. */
  readonly tls: TlsMaterial | undefined;
}

/** How long an orderly shutdown may take once nothing is in flight: an open Health/Watch stream never ends by itself. */
const CLOSE_GRACE_MS = 250;

/** What health checks may ask for; the empty name is the server as a whole. */
const HEALTH_SERVICES = ['', INFERENCE_SERVICE, VISION_SERVICE];

// What it would print reaches us as rejections.
setLogVerbosity(logVerbosity.NONE);

/** The gRPC server: both inference services, health and reflection. */
export class GrpcServer {
  readonly #server: Server;
  readonly #credentials: ReloadableCredentials | undefined;
  readonly #health = new HealthImplementation();
  readonly #service: InferenceService;
  #isServing: boolean | undefined;

  constructor(options: GrpcOptions) {
    this.#service = options.service;
    this.#credentials = options.tls && new ReloadableCredentials(options.tls);
    this.#server = new Server({
      interceptors: [
        callStatusInterceptor,
        observeInterceptor(options.observer),
        accessInterceptor(options.access),
        healthWatchInterceptor(HEALTH_SERVICES),
      ],
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_send_message_length': options.maxMessageBytes,
      ...(options.connectionAgeMs > 0 && {
        'grpc.max_connection_age_ms': options.connectionAgeMs,
      }),
    });
    widenFlowControl(this.#server);
    this.#server.addService(serviceDefinition(INFERENCE_SERVICE), inferenceService(options));
    this.#server.addService(serviceDefinition(VISION_SERVICE), visionService(options));
    this.#health.addToServer(this.#server);
    addReflection(this.#server, packageDefinition);
    this.setServing(false);
  }

  /** What grpc.health.v1 says, of the server as a whole and of each service. */
  setServing(serving: boolean): void {
    if (serving === this.#isServing) return;
    this.#isServing = serving;
    for (const service of HEALTH_SERVICES) {
      this.#health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
    }
  }

  /** Resolves to the port. Rejects with UNAVAILABLE if it cannot be had. */
  listen(host: string, port: number): Promise<number> {
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const credentials = this.#credentials ?? ServerCredentials.createInsecure();
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (cause, bound) => {
        if (cause === null) resolve(bound);
        else reject(new LcqError('UNAVAILABLE', `cannot listen on ${address}`, { cause }));
      });
    });
  }

  /** Takes other certificates for the connections from now on; only where there were some from the start. */
  setTls(material: TlsMaterial): void {
    this.#credentials?.replace(material);
  }

  /** Takes no new calls and ends when the open ones have; what is open when nothing is in flight is cut off. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await Promise.race([closed, this.#quiet()]);
    this.#server.forceShutdown();
  }

  /** A call that has just arrived is in flight a moment later: it takes a while of silence to be sure. */
  async #quiet(): Promise<void> {
    do {
      await this.#service.idle();
      await setTimeout(CLOSE_GRACE_MS, undefined, { ref: false });
    } while (this.#service.inFlight > 0);
  }
}
