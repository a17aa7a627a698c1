import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type MissingExtension, refuseExtension, refuseRegion } from '../missing-extension.js';
import { endpoint, sendJson } from './endpoint.js';

/** The paths of extensions that this server does not have: clients are told so, and that no memory is shared. */
export async function missingExtensionRoutes(app: FastifyInstance): Promise<void> {
  const refuse = (method: 'GET' | 'POST' | 'GET, POST', url: string, extension: MissingExtension) =>
    endpoint(app, method, url, () => refuseExtension(extension));
  refuse('GET, POST', '/v2/logging', 'logging');
  refuse('GET, POST', '/v2/trace/setting', 'trace');
  refuse('GET, POST', '/v2/models/:model/trace/setting', 'trace');
  for (const url of ['/v2/systemsharedmemory', '/v2/cudasharedmemory']) {
    endpoint(app, 'GET', `${url}/status`, (_, reply) => sendJson(reply, []));
    endpoint(app, 'GET', `${url}/region/:region/status`, (request) =>
      refuseRegion(regionOf(request)),
    );
    refuse('POST', `${url}/region/:region/register`, 'shared memory');
    refuse('POST', `${url}/region/:region/unregister`, 'shared memory');
    refuse('POST', `${url}/unregister`, 'shared memory');
  }
}

const regionOf = (request: FastifyRequest) => (request.params as { region: string }).region;
