import { createServer, type Server } from 'node:http';
import type { Metrics } from './metrics.js';

/** The HTTP server of the metrics port: `GET /metrics` in Prometheus' text format, nothing else. */
export function createMetricsServer({ registry }: Metrics): Server {
  return createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"error":"Not Found","code":"NOT_FOUND"}');
      return;
    }
    response.writeHead(200, { 'content-type': registry.contentType });
    response.end(await registry.metrics());
  });
}
