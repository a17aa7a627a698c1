import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LcqError } from '../../errors.js';
import type { InferenceService } from '../../serving/service.js';
import { callerOf, endpoint, sendJson } from './endpoint.js';

const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/webp', 'application/octet-stream'];

/**
 * `POST /v1/models/NAME[/versions/V]:classify?topK=K`: a picture in, labels and scores out.
 *
 * The body is the picture, or a multipart form with the picture in its file field `image`. The type header is only
 * checked for being one of these; what the picture is, its own bytes say.
 */
export async function classifyRoutes(
  app: FastifyInstance,
  { service, maxImageBytes }: { service: InferenceService; maxImageBytes: number },
): Promise<void> {
  await app.register(multipart, {
    limits: { fileSize: maxImageBytes, files: 1, fields: 8, fieldSize: 1024 },
  });
  const classify = async (request: FastifyRequest, reply: FastifyReply) => {
    const { model, version } = request.params as { model: string; version?: string };
    const caller = callerOf(reply);
    const topK = parseTopK((request.query as { topK?: unknown }).topK);
    const image = await readImage(request);
    return sendJson(reply, await service.classify({ model, version, image, topK }, caller));
  };
  // `::` stands for a colon; the pattern keeps the colon out of the parameter.
  endpoint(app, 'POST', '/v1/models/:model(^[^:]+)::classify', classify, 'classify');
  endpoint(
    app,
    'POST',
    '/v1/models/:model/versions/:version(^[^:]+)::classify',
    classify,
    'classify',
  );
}

function parseTopK(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[1-9][0-9]{0,8}$/.test(value)) return Number(value);
  throw new LcqError('INVALID_ARGUMENT', "query parameter 'topK' must be one positive integer");
}

async function readImage(request: FastifyRequest): Promise<Uint8Array> {
  const type = request.headers['content-type']?.split(';')[0].trim().toLowerCase();
  if (request.isMultipart()) return readForm(request);
  // No type at all is what the plainest clients send; the bytes decide anyway.
  if (type !== undefined && !IMAGE_TYPES.includes(type)) {
    const types = `${IMAGE_TYPES.join(', ')} or multipart/form-data`;
    throw new LcqError('UNSUPPORTED_MEDIA_TYPE', `content type '${type}' is not one of ${types}`);
  }
  return (request.body as Buffer | undefined) ?? new Uint8Array();
}

async function readForm(request: FastifyRequest): Promise<Uint8Array> {
  let image: Uint8Array | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') continue;
      // Every file has to be read, or the form never ends.
      const bytes = await part.toBuffer();
      if (part.fieldname === 'image') image = bytes;
    }
  } catch (cause) {
    // The limits' errors say what they are; all others come from the parser.
    if ((cause as { statusCode?: number }).statusCode !== undefined) throw cause;
    throw new LcqError('INVALID_ARGUMENT', 'the multipart form is malformed', { cause });
  }
  if (image !== undefined) return image;
  throw new LcqError('INVALID_ARGUMENT', "the form has no file field 'image'");
}
