import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LcqError } from '../../errors.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { InferenceService } from '../../serving/service.js';
import { callerOf, endpoint, sendJson } from './endpoint.js';
import { parseInferBody, rawInferBody } from './infer-body.js';
import { encodeInferReply } from './infer-reply.js';

const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** The Open Inference Protocol over REST, with the extensions that are about models and tensors. */
export async function openInferenceRoutes(
  app: FastifyInstance,
  { service }: { service: InferenceService },
): Promise<void> {
  endpoint(app, 'GET', '/v2/health/live', (_, reply) => sendJson(reply, { live: true }));
  endpoint(app, 'GET', '/v2/health/ready', (_, reply) => {
    if (service.state !== 'ready') throw new LcqError('UNAVAILABLE', `Server is ${service.state}`);
    return sendJson(reply, { ready: true });
  });
  for (const url of ['/v2', '/v2/']) {
    endpoint(app, 'GET', url, (_, reply) => sendJson(reply, service.serverMetadata));
  }
  endpoint(app, 'GET', '/v2/models/stats', (_, reply) =>
    sendJson(reply, { model_stats: service.modelStatistics({}) }),
  );
  for (const url of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    endpoint(app, 'GET', url, (request, reply) => {
      return sendJson(reply, service.modelMetadata(reference(request)));
    });
    endpoint(app, 'GET', `${url}/config`, (request, reply) =>
      sendJson(reply, service.modelConfiguration(reference(request))),
    );
    endpoint(app, 'GET', `${url}/stats`, (request, reply) =>
      sendJson(reply, { model_stats: service.modelStatistics(reference(request)) }),
    );
    endpoint(app, 'GET', `${url}/ready`, (request, reply) => {
      const { model } = reference(request);
      if (!service.isModelReady(reference(request))) {
        throw new LcqError('UNAVAILABLE', `model '${model}' is not at ready state`);
      }
      return sendJson(reply, { name: model, ready: true });
    });
    endpoint(
      app,
      'POST',
      `${url}/infer`,
      (request, reply) => infer(service, request, reply),
      'infer',
    );
  }
}

const reference = (request: FastifyRequest) => request.params as ModelReference;

async function infer(
  service: InferenceService,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { model, version } = reference(request);
  const caller = callerOf(reply);
  const bytes = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
  const jsonLength = request.headers[JSON_LENGTH_HEADER] as string | undefined;
  const body =
    jsonLength === '0'
      ? rawInferBody(bytes, service.modelMetadata({ model, version }).inputs)
      : parseInferBody(bytes, jsonLength, model);
  const { inputs, outputs, scheduling } = body;
  const encoded = encodeInferReply(
    await service.infer({ model, version, inputs, outputs }, { ...caller, ...scheduling }),
    body,
  );
  if (encoded.jsonLength === undefined) {
    return reply.header('content-type', 'application/json').send(encoded.body);
  }
  return reply
    .header('content-type', 'application/octet-stream')
    .header(JSON_LENGTH_HEADER, encoded.jsonLength)
    .send(encoded.body);
}
