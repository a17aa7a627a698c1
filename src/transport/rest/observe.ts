import type { FastifyInstance } from 'fastify';
import type { RequestObserver } from '../../observability/request-observer.js';

/** Answers with the request's id, logs and traces. To be added before the hooks that refuse, so that refusals are seen too. */
export function observeWith(app: FastifyInstance, observer: RequestObserver): void {
  app.addHook('onRequest', async (request, reply) => {
    const observed = observer.start('rest', (name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : undefined;
    });
    reply.header('x-request-id', observed.id);
    reply.raw.once('close', () => {
      // The route, not the path: names in it are the caller's.
      const target = `${request.method} ${request.routeOptions.url ?? '(unknown)'}`;
      observed.finish(target, reply.raw.writableFinished ? request.outcome : 'CANCELLED');
    });
  });
}
