import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LcqError } from '../../errors.js';
import type { RequestedThresholds } from '../../serving/detection.js';
import type { ModelReference } from '../../serving/model-reference.js';
import type { InferenceService } from '../../serving/service.js';
import { callerOf, endpoint, sendJson } from './endpoint.js';
import { acceptPictures, answerPictures, readPictures } from './picture-body.js';

type Query = Readonly<Record<string, unknown>>;
type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/**
 * `POST /v1/models/NAME[/versions/V]:classify?topK=` and `:detect?scoreThreshold=&iouThreshold=&maxDetections=`:
 * pictures in, labels with scores or boxes out; `:detect?render=1` answers with the picture, the boxes drawn on it.
 */
export async function visionRoutes(
  app: FastifyInstance,
  { service, maxImageBytes }: { service: InferenceService; maxImageBytes: number },
): Promise<void> {
  await acceptPictures(app, maxImageBytes);
  pictureEndpoint(app, 'classify', async (request, reply) => {
    const topK = parseTopK(request.query as Query);
    const model = request.params as ModelReference;
    const caller = callerOf(reply);
    const classify = (image: Uint8Array) => service.classify({ ...model, image, topK }, caller);
    return sendJson(reply, await answerPictures(await readPictures(request), classify));
  });
  pictureEndpoint(app, 'detect', async (request, reply) => {
    const query = request.query as Query;
    const wanted = { ...(request.params as ModelReference), ...parseThresholds(query) };
    const isRendered = parseFlag(query, 'render');
    const caller = callerOf(reply);
    const images = await readPictures(request);
    if (!isRendered) {
      const detect = (image: Uint8Array) => service.detect({ ...wanted, image }, caller);
      return sendJson(reply, await answerPictures(images, detect));
    }
    if (images.length > 1) throw invalid("query parameter 'render' is for one image");
    const drawing = await service.renderDetections({ ...wanted, image: images[0] }, caller);
    return reply.header('content-type', drawing.type).send(drawing.bytes);
  });
}

function pictureEndpoint(app: FastifyInstance, verb: 'classify' | 'detect', handle: Handler): void {
  // `::` stands for a colon; the pattern keeps the colon out of the parameter.
  for (const model of [':model(^[^:]+)', ':model/versions/:version(^[^:]+)']) {
    endpoint(app, 'POST', `/v1/models/${model}::${verb}`, handle, verb);
  }
}

const invalid = (message: string) => new LcqError('INVALID_ARGUMENT', message);

function parseTopK({ topK }: Query): number | undefined {
  if (topK === undefined) return undefined;
  if (typeof topK === 'string' && /^[1-9][0-9]{0,8}$/.test(topK)) return Number(topK);
  throw invalid("query parameter 'topK' must be one positive integer");
}

/** Numbers as the query has them; whether they are in range, the service says. */
function parseThresholds(query: Query): RequestedThresholds {
  return {
    scoreThreshold: parseNumber(query, 'scoreThreshold'),
    iouThreshold: parseNumber(query, 'iouThreshold'),
    maxDetections: parseNumber(query, 'maxDetections'),
  };
}

function parseNumber(query: Query, name: string): number | undefined {
  const value = query[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[0-9]{0,9}\.?[0-9]{1,17}$/.test(value)) return Number(value);
  throw invalid(`query parameter '${name}' must be one number that is not negative`);
}

function parseFlag(query: Query, name: string): boolean {
  const value = query[name];
  if (value === undefined || value === '0' || value === 'false') return false;
  if (value === '1' || value === 'true') return true;
  throw invalid(`query parameter '${name}' must be 1 or 0`);
}
