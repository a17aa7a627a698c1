import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LcqError } from '../errors.js';
import type { Metrics } from './metrics.js';

/** The HTTP server of the metrics port: `GET /metrics` in Prometheus' text format, nothing else. */
export class MetricsServer {
  readonly #server: Server;

  constructor(metrics: Metrics) {
    this.#server = createServer((request, response) => answer(metrics, request, response));
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
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"error":"Not Found","code":"NOT_FOUND"}');
    return;
  }
  response.writeHead(200, { 'content-type': registry.contentType });
  response.end(await registry.metrics());
}
