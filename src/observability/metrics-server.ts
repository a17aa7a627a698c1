import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LcqError } from '../errors.js';
import type { Metrics } from './metrics.js';

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

  constructor(metrics: Metrics, health: Health) {
    this.#server = createServer((request, response) => answer(metrics, health, request, response));
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
  const json = (status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const path = method === 'GET' ? url?.split('?')[0] : undefined;
  if (path === '/metrics') {
    response.setHeader('content-type', registry.contentType);
    response.end(await registry.metrics());
  } else if (path === '/v2/health/live') {
    json(200, { live: true });
  } else if (path === '/v2/health/ready' && state === 'ready') {
    json(200, { ready: true });
  } else if (path === '/v2/health/ready') {
    json(503, { error: `Server is ${state}`, code: 'UNAVAILABLE' });
  } else {
    json(404, { error: 'Not Found', code: 'NOT_FOUND' });
  }
}
