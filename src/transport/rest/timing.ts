import type { FastifyInstance } from 'fastify';
import { RequestTiming } from '../../serving/request-timing.js';
import { SERVER_TIMING, serverTiming } from '../server-timing.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined of what never became a request with a route. */
    timing: RequestTiming | undefined;
  }
}

/** Replies to inference requests say where their time went. */
export function reportTimings(app: FastifyInstance): void {
  app.decorateRequest('timing');
  app.addHook('onRequest', async (request) => {
    request.timing = new RequestTiming();
  });
  app.addHook('onSend', async (request, reply) => {
    const value = request.timing && serverTiming(request.timing);
    if (value !== undefined) reply.header(SERVER_TIMING, value);
  });
}
