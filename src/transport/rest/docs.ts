import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

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

/** `GET /docs`: the contract of the REST interface to read and to try out; `GET /docs/openapi.json`: for programs. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  const specification = { path: `${baseDir}openapi.yaml`, baseDir };
  await app.register(swagger, { mode: 'static', specification });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_SECURITY_POLICY,
    theme: { title: 'lcq-serving: REST interface' },
    uiConfig: { layout: 'BaseLayout' },
  });
  app.get('/docs/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
