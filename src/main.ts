import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ServerConfig } from './config/schema.js';
import { workerEnvironment } from './config/worker-environment.js';
import { LineOutput } from './observability/line-output.js';
import { createLogger, type Logger } from './observability/logger.js';
import { Metrics } from './observability/metrics.js';
import { MetricsServer } from './observability/metrics-server.js';
import { OtlpExporter } from './observability/otlp-exporter.js';
import { RequestObserver } from './observability/request-observer.js';
import { registerServerGauges } from './observability/server-gauges.js';
import { MODEL_STATES } from './repository/lifecycle.js';
import { ModelManager } from './repository/model-manager.js';
import { ModelRegistry } from './repository/registry.js';
import { ModelRepository } from './repository/repository.js';
import { RepositoryPoller } from './repository/repository-poller.js';
import { openModelFile } from './runtime/model-file.js';
import { Security } from './security/security.js';
import { loadServable, type OpenSession } from './serving/load.js';
import { ModelControl } from './serving/model-control.js';
import type { Servable } from './serving/servable.js';
import { InferenceService } from './serving/service.js';
import { GrpcServer } from './transport/grpc/server.js';
import { RestServer } from './transport/rest/server.js';
import { WorkerPool } from './workers/worker-pool.js';

const VERSION = packageVersion();

const WORKER = fileURLToPath(new URL('./workers/lcq-worker.js', import.meta.url));

/** How soon gRPC health checks, which are told, know of a model that is lost or back; others are asked. */
const HEALTH_INTERVAL_MS = 500;

/** Ports that the server really listens on: they differ from the configured ones where those are 0. */
export interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly metrics: number;
}

/** The parts that tests replace. */
export interface Dependencies {
  readonly openSession?: OpenSession;
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
  readonly #rest: RestServer;
  readonly #grpc: GrpcServer;
  #healthTimer: NodeJS.Timeout | undefined;

  constructor(config: ServerConfig, dependencies: Dependencies = {}) {
    this.#config = config;
    this.#log = dependencies.log ?? createLogger(config.logLevel);
    this.#metrics = new Metrics({ triton: config.tritonMetrics });
    if (dependencies.openSession === undefined && config.workers > 0) {
      this.#workers = this.#workerPool();
      // They come up while the rest is made.
      this.#workers.start();
    }
    this.#models = this.#modelManager(dependencies.openSession);
    this.#poller = new RepositoryPoller(() => this.#poll(), config.pollIntervalMs);
    this.#service = new InferenceService(this.#registry, VERSION);
    const models = new ModelControl(this.#models, config.modelControl);
    this.#security = this.#openSecurity();
    const { access, tls } = this.#security;
    this.#traces = config.otlpEndpoint === '' ? undefined : this.#openTraces();
    const { accessLog } = config;
    const observer = new RequestObserver({ log: this.#log, accessLog, exporter: this.#traces });
    const observed = { metrics: this.#metrics, log: this.#log, observer };
    const parts = { service: this.#service, models, ...observed, access, tls };
    const { maxBodyBytes, maxImageBytes, maxGrpcMessageBytes: maxMessageBytes } = config;
    const { grpcConnectionAgeMs: connectionAgeMs, playground } = config;
    this.#registerGauges();
    this.#metricsServer = new MetricsServer(this.#metrics, this.#service, this.#log);
    this.#rest = new RestServer({ ...parts, maxBodyBytes, maxImageBytes, playground });
    this.#grpc = new GrpcServer({ ...parts, maxMessageBytes, connectionAgeMs });
  }

  /** Process ids of the workers that run now. */
  get workerPids(): readonly number[] {
    return this.#workers?.pids ?? [];
  }

  /** Opens all ports, or none: rejects with UNAVAILABLE. From here on the server is live and not ready. */
  async listen(): Promise<Ports> {
    const { host, httpPort, grpcPort, metricsPort } = this.#config;
    try {
      return {
        metrics: await this.#metricsServer.listen(host, metricsPort),
        http: await this.#rest.listen(host, httpPort),
        grpc: await this.#grpc.listen(host, grpcPort),
      };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Resolves, and turns ready, when the models to start with are loaded and warm: all of the repository, or with
   * explicit control those of `loadModels`. Rejects when one that is required cannot be.
   */
  async load(): Promise<void> {
    const { modelControl, modelRepository, loadModels } = this.#config;
    if (modelControl === 'explicit') {
      const names = loadModels.split(',').filter((name) => name !== '');
      for (const name of names) await this.#models.load(name.trim());
    } else {
      await this.#models.loadAll(modelRepository);
    }
    if (modelControl === 'poll') this.#poller.start();
    if (this.#service.phase !== 'starting') return;
    this.#service.phase = 'ready';
    const tellHealth = () => this.#grpc.setServing(this.#service.state === 'ready');
    tellHealth();
    this.#healthTimer = setInterval(tellHealth, HEALTH_INTERVAL_MS).unref();
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
    this.#grpc.setServing(false);
    // Until balancers have seen that, they send more. None sends to a server that was never ready.
    if (wasReady) await setTimeout(this.#config.drainDelayMs);
    const timeout = setTimeout(this.#config.drainTimeoutMs, undefined, { ref: false });
    try {
      await Promise.race([this.#finish(), timeout]);
    } finally {
      // Only what never finished arriving, or never finished running, is still open.
      this.#rest.closeNow();
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
    await Promise.all([this.#rest.close(), this.#grpc.close()]);
    await this.#models.close();
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
        this.#rest.setTls(material);
        this.#grpc.setTls(material);
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
        return meant.map(({ name: model, version, state, servable }) => ({
          labels: { model, version },
          state: servable?.isOpen === false ? 'UNAVAILABLE' : state,
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

  #modelManager(openSession: OpenSession = this.#openLcqSession): ModelManager<Servable> {
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
      open: (definition) => loadServable(definition, openSession, options),
      memoryBudgetBytes: memoryBudgetBytes || undefined,
      onFault: (model, error) => this.#log.error({ err: error, model }, error.message),
      onLoadFailed: (model, code) => this.#metrics.modelLoadFailed(model, code),
    });
  }

  readonly #openLcqSession: OpenSession = (file, warmUp) =>
    this.#workers?.open(file, warmUp) ?? openModelFile(file, this.#config.threads);

  #workerPool(): WorkerPool {
    const { workers, threads, workerTimeoutMs: runTimeoutMs } = this.#config;
    return new WorkerPool(workers, {
      command: { module: WORKER, args: [String(threads)], env: workerEnvironment() },
      backOffMs: 100,
      maxBackOffMs: 30_000,
      runTimeoutMs,
      onCrash: (crash) => {
        this.#metrics.workerCrashed(crash.how);
        this.#log.error(crash, 'a worker process ended');
      },
      onRestart: (restart) => {
        this.#metrics.workerRestarted();
        this.#log.info(restart, 'a worker process is back');
      },
      onReopenFailed: (modelPath, error) => {
        const [model] = relative(this.#config.modelRepository, modelPath).split(sep);
        this.#metrics.modelLoadFailed(model, error.code);
        this.#log.error({ err: error, modelPath }, error.message);
      },
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
    const ports = await server.listen();
    await server.load();
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
