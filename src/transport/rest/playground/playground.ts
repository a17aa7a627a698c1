import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { endpoint } from '../endpoint.js';

/** The page and what it loads, as the build leaves them. */
const PAGE = fileURLToPath(new URL('./page/', import.meta.url));
const INDEX = 'index.html';
/** Path of every file but the page itself. */
export const PLAYGROUND_PREFIX = '/playground/';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, no frame around it; pictures that the page itself made are blobs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // Asked again each time, and answered with 304 while nothing changed.
  'cache-control': 'no-cache',
};

/** The playground at `/`: a few small files, held in memory. What is not among them has no route. */
export async function playgroundRoutes(app: FastifyInstance): Promise<void> {
  const paths = readdirSync(PAGE, { recursive: true, encoding: 'utf8' });
  for (const path of paths.filter((name) => extname(name) in TYPES)) {
    const url = path === INDEX ? '/' : `${PLAYGROUND_PREFIX}${path}`;
    endpoint(app, 'GET', url, file(`${PAGE}${path}`));
  }
}

function file(path: string) {
  const bytes = readFileSync(path);
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  const headers = { ...HEADERS, 'content-type': TYPES[extname(path)], etag };
  return (request: FastifyRequest, reply: FastifyReply) => {
    reply.headers(headers);
    return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.send(bytes);
  };
}
