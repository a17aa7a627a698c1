import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ServerConfig } from './config/schema.js';
import { workerEnvironment } from './config/worker-environment.js';
import { stopping } from './errors.js';
import { LineOutput } from './observability/line-output.js';
import { createLogger, type Logger } from './observability/logger.js';
import { Metrics } from './observability/metrics.js';
import { MetricsServer } from './observability/metrics-server.js';
import { OtlpExporter } from './observability/otlp-exporter.js';
import { RequestObserver } from './observability/request-observer.js';
import { registerServerGauges } from './observability/server-gauges.js';
import { MODEL_STATES } from './repository/lifecycle.js';
import { ModelManager, stateToCallers } from './repository/model-manager.js';
import { ModelRegistry } from './repository/registry.js';
import { ModelRepository } from './repository/repository.js';
import { RepositoryPoller } from './repository/repository-poller.js';
import { type ModelFile, openModelFile } from './runtime/model-file.js';
import type { ModelSession } from './runtime/session.js';
import { Security } from './security/security.js';
import { loadServable, type OpenSession, tried } from './serving/load.js';
import { ModelControl } from './serving/model-control.js';
import type { Servable } from './serving/servable.js';
import { InferenceService } from './serving/service.js';
import type { GrpcOptions, GrpcServer } from './transport/grpc/server.js';
import type { RestOptions, RestServer } from './transport/rest/server.js';
import { startWorkers } from './workers/start.js';
import type { WorkerPool } from './workers/worker-pool.js';

const VERSION = packageVersion();

/** How soon gRPC health checks, which are told, know of a model that is lost or back; others are asked. */
const HEALTH_INTERVAL_MS = 500;

/** Ports that the server really listens on: they differ from the configured ones where those are 0. */
export interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly metrics: number;
}

/** Parts that there are already. */
export interface Dependencies {
  /** Started for this configuration. */
  readonly workers?: WorkerPool | undefined;
  /** What tests put in place of workers. */
  readonly openSession?: (file: ModelFile) => Promise<ModelSession>;
  readonly log?: Logger;
}

/** The whole server: everything is wired here, and only here. */
export class ModelServer {
  readonly #config: ServerConfig;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  /** Undefined: requests are not traced. */
  readonly #traces: OtlpExporter | undefined;
  readonly #registry = new ModelRegistry<Servable>();
  /** Where the models run; undefined: in this process. */
  readonly #workers: WorkerPool | undefined;
  readonly #models: ModelManager<Servable>;
  readonly #poller: RepositoryPoller;
  readonly #service: InferenceService;
  readonly #security: Security;
  readonly #metricsServer: MetricsServer;
  readonly #transportOptions: Omit<RestOptions & GrpcOptions, 'tls'>;
  /** Undefined until the server listens. */
  #rest: RestServer | undefined;
  #grpc: GrpcServer | undefined;
  #healthTimer: NodeJS.Timeout | undefined;
  readonly #done = { listening: false, loading: false };
  /** Resolves when the first models are asked for. */
  readonly #opening: Promise<void>;
  #onOpening: () => void = () => {};

  constructor(config: ServerConfig, dependencies: Dependencies = {}) {
    this.#config = config;
    this.#opening = new Promise((resolve) => {
      this.#onOpening = resolve;
    });
    this.#log = dependencies.log ?? createLogger(config.logLevel);
    this.#metrics = new Metrics({ triton: config.tritonMetrics });
    if (dependencies.openSession === undefined) {
      this.#workers = dependencies.workers ?? startWorkers(config, workerEnvironment());
      this.#watchWorkers();
    }
    this.#models = this.#modelManager(this.#opener(dependencies.openSession));
    this.#poller = new RepositoryPoller(() => this.#poll(), config.pollIntervalMs);
    this.#service = new InferenceService(this.#registry, VERSION);
    const models = new ModelControl(this.#models, config.modelControl);
    this.#security = this.#openSecurity();
    this.#traces = config.otlpEndpoint === '' ? undefined : this.#openTraces();
    const { accessLog } = config;
    const observer = new RequestObserver({ log: this.#log, accessLog, exporter: this.#traces });
    const { maxBodyBytes, maxImageBytes, playground } = config;
    const { maxGrpcMessageBytes: maxMessageBytes, grpcConnectionAgeMs: connectionAgeMs } = config;
    this.#transportOptions = {
      ...{ service: this.#service, models, access: this.#security.access },
      ...{ metrics: this.#metrics, log: this.#log, observer },
      ...{ maxBodyBytes, maxImageBytes, playground, maxMessageBytes, connectionAgeMs },
    };
    this.#registerGauges();
    this.#metricsServer = new MetricsServer(this.#metrics, this.#service, this.#log);
  }

  /** Process ids of the workers that run now. */
  get workerPids(): readonly number[] {
    return this.#workers?.pids ?? [];
  }

  /** Opens the ports and loads the models, side by side. Rejects as `listen` and `load` do. */
  async start(): Promise<Ports> {
    const loaded = this.load();
    // The transports' modules stop the event loop while they are loaded: workers should have work by then.
    await Promise.race([this.#opening, loaded]);
    const [ports] = await Promise.all([this.listen(), loaded]);
    return ports;
  }

  /** Opens all ports, or none: rejects with UNAVAILABLE. From here on the server is live. */
  async listen(): Promise<Ports> {
    const { host, httpPort, grpcPort, metricsPort } = this.#config;
    try {
      // Loaded one by one, and only here: that is half of a start, and the models open meanwhile.
      const metrics = await this.#metricsServer.listen(host, metricsPort);
      const { RestServer } = await import('./transport/rest/server.js');
      this.#rest = new RestServer(this.#openTransport());
      const http = await this.#rest.listen(host, httpPort);
      const { GrpcServer } = await import('./transport/grpc/server.js');
      this.#grpc = new GrpcServer(this.#openTransport());
      const grpc = await this.#grpc.listen(host, grpcPort);
      this.#done.listening = true;
      this.#turnReady();
      return { metrics, http, grpc };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Resolves when the models to start with are loaded and warm: all of the repository, or with explicit control those of
   * `loadModels`. Rejects when one that is required cannot be. The server is ready once it also listens.
   */
  async load(): Promise<void> {
    const { modelControl, modelRepository, loadModels } = this.#config;
    if (modelControl === 'explicit') {
      const names = loadModels.split(',').filter((name) => name !== '');
      for (const name of names) await this.#models.load(name.trim());
    } else {
      await this.#models.loadAll(modelRepository);
    }
    this.#done.loading = true;
    this.#turnReady();
  }

  /**
   * Turns not ready, goes on for the drain delay, stops accepting, answers what is in flight and frees everything,
   * within the drain timeout.
   *
   * Resolves to whether all requests that had arrived were answered.
   */
  async close(): Promise<boolean> {
    const wasReady = this.#service.phase === 'ready';
    this.#service.phase = 'draining';
    clearInterval(this.#healthTimer);
    this.#poller.stop();
    this.#tellHealth();
    // Until balancers have seen that, they send more. None sends to a server that was never ready.
    if (wasReady) await setTimeout(this.#config.drainDelayMs);
    const timeout = setTimeout(this.#config.drainTimeoutMs, undefined, { ref: false });
    try {
      await Promise.race([this.#finish(), timeout]);
    } finally {
      // Only what never finished arriving, or never finished running, is still open.
      this.#rest?.closeNow();
      await this.#workers?.close();
      await Promise.race([this.#traces?.close(), timeout]);
      this.#security.close();
      this.#metricsServer.close();
    }
    return this.#service.inFlight === 0;
  }

  async #finish(): Promise<void> {
    // A load may wait for a worker that is long in coming back, and its caller with it.
    this.#workers?.stopOpening();
    await Promise.all([this.#rest?.close(), this.#grpc?.close()]);
    await this.#models.close();
  }

  /** What a transport is made of; none is any more once the server closes. */
  #openTransport(): RestOptions & GrpcOptions {
    if (this.#service.phase === 'draining') throw stopping();
    return { ...this.#transportOptions, tls: this.#security.tls };
  }

  #turnReady(): void {
    const { listening, loading } = this.#done;
    if (!listening || !loading || this.#service.phase !== 'starting') return;
    this.#service.phase = 'ready';
    if (this.#config.modelControl === 'poll') this.#poller.start();
    this.#tellHealth();
    this.#healthTimer = setInterval(() => this.#tellHealth(), HEALTH_INTERVAL_MS).unref();
  }

  #tellHealth(): void {
    this.#grpc?.setServing(this.#service.state === 'ready');
  }

  #openTraces(): OtlpExporter {
    return new OtlpExporter({
      endpoint: this.#config.otlpEndpoint,
      serviceVersion: VERSION,
      onError: (message) => this.#log.warn(message),
    });
  }

  #openSecurity(): Security {
    return new Security(this.#config, {
      onTls: (material) => {
        this.#rest?.setTls(material);
        this.#grpc?.setTls(material);
      },
      onReload: (what) => this.#log.info(`${what} read anew`),
      onError: (error) => this.#log.error({ err: error }, error.message),
    });
  }

  #registerGauges(): void {
    registerServerGauges(this.#metrics.registry, {
      version: VERSION,
      memoryBudgetBytes: this.#config.memoryBudgetBytes,
      modelStates: MODEL_STATES,
      isReady: () => this.#service.state === 'ready',
      requestsInFlight: () => this.#service.inFlight,
      models: () => {
        const meant = this.#registry.all().filter(({ isRetired }) => !isRetired);
        return meant.map((entry) => ({
          labels: { model: entry.name, version: entry.version },
          state: stateToCallers(entry),
        }));
      },
      reservations: () =>
        this.#models.reservations.map(({ name: model, version, bytes }) => ({
          labels: { model, version },
          bytes,
        })),
      workerPids: () => this.workerPids,
      certificateExpiry: () => this.#security.certificateExpiry,
    });
  }

  #modelManager(openSession: OpenSession): ModelManager<Servable> {
    const { maxImageBytes: maxBytes, maxImagePixels: maxPixels, memoryBudgetBytes } = this.#config;
    const options = {
      batching: this.#config,
      imageLimits: { maxBytes, maxPixels },
      metrics: this.#metrics,
      log: this.#log,
    };
    return new ModelManager<Servable>({
      repository: new ModelRepository(this.#config.modelRepository),
      registry: this.#registry,
      open: (definition) => {
        this.#onOpening();
        return loadServable(definition, openSession, options);
      },
      memoryBudgetBytes: memoryBudgetBytes || undefined,
      onFault: (model, error) => this.#log.error({ err: error, model }, error.message),
      onLoadFailed: (model, code) => this.#metrics.modelLoadFailed(model, code),
    });
  }

  #opener(
    open = (file: ModelFile): Promise<ModelSession> => openModelFile(file, this.#config.threads),
  ): OpenSession {
    const workers = this.#workers;
    return workers ? (file, trial) => workers.open(file, trial) : tried(open);
  }

  #watchWorkers(): void {
    this.#workers?.on('crash', (crash) => {
      this.#metrics.workerCrashed(crash.how);
      this.#log.error(crash, 'a worker process ended');
    });
    this.#workers?.on('restart', (restart) => {
      this.#metrics.workerRestarted();
      this.#log.info(restart, 'a worker process is back');
    });
    this.#workers?.on('reopenFailed', (modelPath, error) => {
      const [model] = relative(this.#config.modelRepository, modelPath).split(sep);
      this.#metrics.modelLoadFailed(model, error.code);
      this.#log.error({ err: error, modelPath }, error.message);
    });
  }

  async #poll(): Promise<void> {
    try {
      await this.#models.poll();
    } catch (error) {
      this.#log.error({ err: error }, 'the model repository cannot be read');
    }
  }
}

/**
 * Runs the server as this process: until SIGTERM or SIGINT (exit status 0, or 1 if requests in flight were lost), or
 * until it fails (1). The one line for people goes to standard output, the log to standard error.
 */
export async function serve(config: ServerConfig, dependencies: Dependencies = {}): Promise<void> {
  const log = dependencies.log ?? createLogger(config.logLevel);
  const fail = (error: unknown) => {
    log.fatal({ err: error }, error instanceof Error ? error.message : 'failed');
    process.exit(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  const server = new ModelServer(config, { ...dependencies, log });
  let isStopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    isStopping = true;
    log.info({ signal }, 'draining');
    const answeredAll = await server.close();
    log.info({ answeredAll }, 'stopped');
    process.exit(answeredAll ? 0 : 1);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // A look inside while it runs, and back.
  process.on('SIGUSR2', () => {
    log.level = log.level === 'debug' ? config.logLevel : 'debug';
    log.info({ level: log.level }, 'log level changed');
  });
  try {
    const ports = await server.start();
    // Unlike a stream, it goes on where nobody reads or the disk is full.
    if (!isStopping) new LineOutput(1).write(`${listening(config.host, ports)}\n`);
  } catch (error) {
    // A start that is cut short has nothing to say: the drain ends the process.
    if (!isStopping) throw error;
  }
}

const listening = (host: string, { http, grpc, metrics }: Ports) =>
  `lcq-serving is ready: REST on http://${host}:${http}, gRPC on ${host}:${grpc}, ` +
  `metrics on http://${host}:${metrics}/metrics`;

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
