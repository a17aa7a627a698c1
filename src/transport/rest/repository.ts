import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { LcqError } from '../../errors.js';
import type { ModelControl } from '../../serving/model-control.js';
import { refuseLoadParameters, refuseRepositoryName } from '../repository-request.js';
import { endpoint, sendJson } from './endpoint.js';

const bodySchema = z.object({
  ready: z.boolean().optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
});

/** The model repository extension: `POST /v2/repository/index` and `.../models/NAME/load` and `unload`; a repository has no name. */
export async function repositoryRoutes(
  app: FastifyInstance,
  { models }: { models: ModelControl },
): Promise<void> {
  endpoint(app, 'POST', '/v2/repository/index', async (request, reply) => {
    const { ready = false } = readBody(request);
    return sendJson(reply, await models.index({ readyOnly: ready }));
  });
  endpoint(app, 'POST', '/v2/repository/models/:model/load', async (request, reply) => {
    refuseLoadParameters(readBody(request).parameters);
    await models.load(modelOf(request));
    return sendJson(reply, {});
  });
  endpoint(app, 'POST', '/v2/repository/models/:model/unload', async (request, reply) => {
    readBody(request);
    await models.unload(modelOf(request));
    return sendJson(reply, {});
  });
  for (const action of ['index', 'models/:model/load', 'models/:model/unload']) {
    endpoint(app, 'POST', `/v2/repository/:repository/${action}`, (request) =>
      refuseRepositoryName((request.params as { repository: string }).repository),
    );
  }
}

const modelOf = (request: FastifyRequest) => (request.params as { model: string }).model;

/** Clients send JSON, or nothing at all. */
function readBody({ body }: FastifyRequest): z.infer<typeof bodySchema> {
  const text = (body as Buffer | undefined)?.toString('utf8') ?? '';
  if (text === '') return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', 'the request is not valid JSON', { cause });
  }
  const parsed = bodySchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new LcqError('INVALID_ARGUMENT', `'${issue.path.join('.')}': ${issue.message}`);
}
