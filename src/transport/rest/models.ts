import type { FastifyInstance } from 'fastify';
import type { ModelReference } from '../../serving/model-reference.js';
import type { InferenceService } from '../../serving/service.js';
import { endpoint, sendJson } from './endpoint.js';

/**
 * `GET /v1/models` and `GET /v1/models/NAME[/versions/V]`: what is served, with sizes, bits, labels and, for each
 * quantized layer, its levels and companders.
 */
export async function modelRoutes(
  app: FastifyInstance,
  { service }: { service: InferenceService },
): Promise<void> {
  endpoint(app, 'GET', '/v1/models', (_, reply) => sendJson(reply, { models: service.models() }));
  // The pattern keeps the verbs (`NAME:classify`) out of the parameter.
  for (const model of [':model(^[^:]+)', ':model/versions/:version(^[^:]+)']) {
    endpoint(app, 'GET', `/v1/models/${model}`, (request, reply) =>
      sendJson(reply, service.describeModel(request.params as ModelReference)),
    );
  }
}
