import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { ServerConfig } from './config/schema.js';
import { createLogger, type Logger } from './observability/logger.js';
import { Metrics } from './observability/metrics.js';
import { MetricsServer } from './observability/metrics-server.js';
import { ModelRegistry } from './repository/registry.js';
import { scanRepository } from './repository/repository.js';
import { createLcqSession } from './runtime/lcq-session.js';
import { loadModels, type OpenSession } from './serving/load.js';
import type { Servable } from './serving/servable.js';
import { InferenceService } from './serving/service.js';
import { GrpcServer } from './transport/grpc/server.js';
import { RestServer } from './transport/rest/server.js';

/** Ports that the server really listens on: they differ from the configured ones where those are 0. */
export interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly metrics: number;
}

export interface RunningServer {
  readonly ports: Ports;
  /** Resolves when every model is loaded and warm; rejects when one cannot be. */
  readonly ready: Promise<void>;
  /**
   * Turns not ready, stops accepting, answers what is in flight, frees everything.
   *
   * Resolves to whether all was answered within the drain timeout.
   */
  close(): Promise<boolean>;
}

/** The parts that tests replace. */
export interface Dependencies {
  readonly openSession?: OpenSession;
  readonly log?: Logger;
}

/** Wires the server and starts it: it listens, live but not ready, while the models load. */
export async function startServer(
  config: ServerConfig,
  dependencies: Dependencies = {},
): Promise<RunningServer> {
  const {
    openSession = (path) => createLcqSession(path, { intraOpThreads: config.threads }),
    log = createLogger(config.logLevel),
  } = dependencies;
  const metrics = new Metrics();
  const registry = new ModelRegistry<Servable>();
  const service = new InferenceService(registry, metrics, packageVersion());
  const { maxBodyBytes, maxImageBytes, maxGrpcMessageBytes: maxMessageBytes } = config;
  const metricsServer = new MetricsServer(metrics);
  const rest = new RestServer({ service, metrics, log, maxBodyBytes, maxImageBytes });
  const grpc = new GrpcServer({ service, metrics, log, maxMessageBytes });

  const load = async () => {
    const definitions = await scanRepository(config.modelRepository);
    await loadModels(definitions, registry, openSession, {
      batching: config,
      imageLimits: { maxBytes: maxImageBytes, maxPixels: config.maxImagePixels },
      metrics,
      log,
    });
    if (service.state !== 'starting') return;
    service.state = 'ready';
    grpc.setServing(true);
  };

  const finish = async () => {
    await Promise.all([rest.close(), grpc.close(service.idle())]);
    await Promise.all(registry.all().map((servable) => servable.close()));
    metricsServer.close();
  };

  const close = async () => {
    service.state = 'draining';
    grpc.setServing(false);
    await Promise.race([finish(), setTimeout(config.drainTimeoutMs, undefined, { ref: false })]);
    // Only what never finished arriving, or never finished running, is still open.
    rest.closeNow();
    return service.inFlight === 0;
  };

  const ports = {
    metrics: await metricsServer.listen(config.host, config.metricsPort),
    http: await rest.listen(config.host, config.httpPort),
    grpc: await grpc.listen(config.host, config.grpcPort),
  };
  return { ports, ready: load(), close };
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
  const server = await startServer(config, { ...dependencies, log });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      log.info({ signal }, 'draining');
      const answeredAll = await server.close();
      log.info({ answeredAll }, 'stopped');
      process.exit(answeredAll ? 0 : 1);
    });
  }
  await server.ready;
  const { http, grpc, metrics } = server.ports;
  const at = (port: number) => `${config.host}:${port}`;
  process.stdout.write(
    `lcq-serving is ready: REST on http://${at(http)}, gRPC on ${at(grpc)}, ` +
      `metrics on http://${at(metrics)}/metrics\n`,
  );
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
