import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LcqError } from '../errors.js';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

// An import would load all of undici too, for names that node:http exports: 40 ms of each start.
const { createServer } = process.getBuiltinModule('node:http');

/** What health checks ask of a server. */
export interface Health {
  readonly state: string;
}

/**
 * The HTTP server of the metrics port: `GET /metrics` in Prometheus' text format, and the health checks of the REST port
 * for those who cannot show it a client certificate, such as Kubernetes.
 */
export class MetricsServer {
  readonly #server: Server;

  constructor(metrics: Metrics, health: Health, log: Logger) {
    this.#server = createServer((request, response) => {
      answer(metrics, health, request, response).catch((error) => {
        log.error({ err: error, url: request.url }, 'defect');
        json(response, 500, { error: 'internal error', code: 'INTERNAL' });
      });
    });
  }

  /** Resolves to the port. Rejects with UNAVAILABLE if it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    try {
      await once(this.#server.listen(port, host), 'listening');
    } catch (cause) {
      throw new LcqError('UNAVAILABLE', `cannot listen on ${host}:${port}`, { cause });
    }
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function answer(
  { registry }: Metrics,
  { state }: Health,
  { method, url }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = method === 'GET' ? url?.split('?')[0] : undefined;
  if (path === '/metrics') {
    const text = await registry.metrics();
    response.setHeader('content-type', registry.contentType).end(text);
  } else if (path === '/v2/health/live') {
    json(response, 200, { live: true });
  } else if (path === '/v2/health/ready' && state === 'ready') {
    json(response, 200, { ready: true });
  } else if (path === '/v2/health/ready') {
    json(response, 503, { error: `Server is ${state}`, code: 'UNAVAILABLE' });
  } else {
    json(response, 404, { error: 'Not Found', code: 'NOT_FOUND' });
  }
}

const json = (response: ServerResponse, status: number, body: object) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
