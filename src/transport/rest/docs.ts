import { fileURLToPath } from 'node:url';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

const baseDir = fileURLToPath(new URL('../../../../proto/', import.meta.url));

/** The page has its scripts and styles from here and talks to nobody else. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * `GET /docs`: the contract of the REST interface to read and to try out; `GET /docs/openapi.json`: for programs.
 *
 * An application of its own, made when it is first asked for: to read the contract takes as long as all else of a start.
 */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  let pages: Promise<FastifyInstance> | undefined;
  const answer = async ({ method, url, headers }: FastifyRequest, reply: FastifyReply) => {
    pages ??= openPages();
    const inner = await pages;
    const page = await inner.inject({ method: method as 'GET' | 'HEAD', url, headers });
    if (page.statusCode === 404) return reply.callNotFound();
    return reply.code(page.statusCode).headers(page.headers).send(page.rawPayload);
  };
  // Pages are no part of the contract.
  const schema = { hide: true };
  app.get('/docs', { schema }, answer);
  app.get('/docs/*', { schema }, answer);
}

async function openPages(): Promise<FastifyInstance> {
  const { default: swagger } = await import('@fastify/swagger');
  const { default: swaggerUi } = await import('@fastify/swagger-ui');
  const app = fastify();
  const specification = { path: `${baseDir}openapi.yaml`, baseDir };
  await app.register(swagger, { mode: 'static', specification });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_SECURITY_POLICY,
    theme: { title: 'lcq-serving: REST interface' },
    uiConfig: { layout: 'BaseLayout' },
  });
  app.get('/docs/openapi.json', async () => app.swagger());
  return app;
}
