import type { FastifyInstance } from 'fastify';
import { LcqError } from '../../errors.js';
import { type AccessControl, RateLimited, type Scope } from '../../security/access-control.js';
import { PLAYGROUND_PREFIX } from './playground/playground.js';

/** Routes, as they are registered, that change what is served. */
const ADMIN_ROUTES: readonly string[] = [
  '/v2/repository/models/:model/load',
  '/v2/repository/models/:model/unload',
];

function scopeOf(route: string | undefined): Scope {
  if (route === undefined) return 'inference';
  if (route.startsWith('/v2/health/')) return 'open';
  // A page can ask for a key only once it is there.
  const isPage = route === '/' || route.startsWith(PLAYGROUND_PREFIX) || route.startsWith('/docs');
  if (isPage) return 'open';
  return ADMIN_ROUTES.includes(route) ? 'admin' : 'inference';
}

/** Refuses callers before their body is read. */
export function guardRoutes(app: FastifyInstance, access: AccessControl): void {
  app.addHook('onRequest', async (request, reply) => {
    const header = (name: string) => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : undefined;
    };
    try {
      access.authorize(scopeOf(request.routeOptions.url), { header, address: request.ip });
    } catch (error) {
      if (error instanceof RateLimited) {
        reply.header('retry-after', Math.ceil(error.retryAfterSeconds));
      } else if (error instanceof LcqError && error.code === 'UNAUTHENTICATED') {
        reply.header('www-authenticate', 'Bearer');
      }
      throw error;
    }
  });
}
