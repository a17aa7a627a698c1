import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { LcqError } from '../../errors.js';
import type { Operation } from '../../observability/metrics.js';
import type { Caller } from '../../serving/service.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on the routes whose requests are counted. */
    operation?: Operation;
  }
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Registers a route, and METHOD_NOT_ALLOWED for the other verbs on its path. */
export function endpoint(
  app: FastifyInstance,
  methods: 'GET' | 'POST' | 'GET, POST',
  url: string,
  handler: RouteHandlerMethod,
  operation?: Operation,
): void {
  const method = methods.split(', ');
  app.route({ method, url, handler, ...(operation ? { config: { operation } } : {}) });
  const refuse = async (_request: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header('allow', methods.replace('GET', 'GET, HEAD'));
    throw new LcqError('METHOD_NOT_ALLOWED', 'Method Not Allowed');
  };
  app.route({
    method: METHODS.filter((other) => !method.includes(other)),
    url,
    // Before the body is read.
    onRequest: refuse,
    handler: refuse,
  });
}

/** Replies with JSON. Clients compare the content type with exactly `application/json`; fastify would add a charset. */
export function sendJson(reply: FastifyReply, json: unknown): FastifyReply {
  return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(json)));
}

/** Milliseconds from the arrival of the request until its caller stops waiting for a reply. */
const TIMEOUT_HEADER = 'x-request-timeout-ms';

/**
 * The caller of an HTTP request: gone when its connection closes before the reply is written, and with a deadline if it
 * sent one. Throws INVALID_ARGUMENT for one that is no positive integer.
 */
export function callerOf(reply: FastifyReply): Caller {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  const { timing, headers } = reply.request;
  const timeout = headers[TIMEOUT_HEADER];
  if (timeout === undefined) return { signal: controller.signal, timing };
  if (typeof timeout !== 'string' || !/^[1-9][0-9]{0,8}$/.test(timeout)) {
    throw new LcqError('INVALID_ARGUMENT', `header '${TIMEOUT_HEADER}' must be a positive integer`);
  }
  return { signal: controller.signal, timing, deadline: performance.now() + Number(timeout) };
}
