import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LcqError } from '../../errors.js';

const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/webp', 'application/octet-stream'];
/** Pictures in one form. */
const MAX_IMAGES = 32;

/** Makes `readPictures` able to read forms. */
export async function acceptPictures(app: FastifyInstance, maxImageBytes: number): Promise<void> {
  await app.register(multipart, {
    limits: { fileSize: maxImageBytes, files: MAX_IMAGES, fields: 8, fieldSize: 1024 },
  });
}

/**
 * The encoded pictures of a request, one at least: its body, or the file fields `image` of a multipart form.
 *
 * The type header is only checked for being one of these; what a picture is, its own bytes say.
 */
export async function readPictures(request: FastifyRequest): Promise<Uint8Array[]> {
  const type = request.headers['content-type']?.split(';')[0].trim().toLowerCase();
  if (request.isMultipart()) return readForm(request);
  // No type at all is what the plainest clients send; the bytes decide anyway.
  if (type !== undefined && !IMAGE_TYPES.includes(type)) {
    const types = `${IMAGE_TYPES.join(', ')} or multipart/form-data`;
    throw new LcqError('UNSUPPORTED_MEDIA_TYPE', `content type '${type}' is not one of ${types}`);
  }
  return [(request.body as Buffer | undefined) ?? new Uint8Array()];
}

async function readForm(request: FastifyRequest): Promise<Uint8Array[]> {
  const images: Uint8Array[] = [];
  const { bodyLimit = Infinity } = request.routeOptions;
  let size = 0;
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') continue;
      // Every file has to be read, or the form never ends.
      const bytes = await part.toBuffer();
      size += bytes.length;
      // Each file is bounded while it arrives, a body as a whole only where nobody else reads it.
      if (size > bodyLimit) throw new LcqError('TOO_LARGE', 'Request body is too large');
      if (part.fieldname === 'image') images.push(bytes);
    }
  } catch (cause) {
    // The limits' errors say what they are; all others come from the parser.
    const { statusCode } = cause as { statusCode?: number };
    if (cause instanceof LcqError || statusCode !== undefined) throw cause;
    throw new LcqError('INVALID_ARGUMENT', 'the multipart form is malformed', { cause });
  }
  if (images.length > 0) return images;
  throw new LcqError('INVALID_ARGUMENT', "the form has no file field 'image'");
}

/**
 * The reply to one picture as it is, to several as `{"results": [...]}` in their order.
 *
 * All run at once, so that they share batches. If one fails, so does the request, naming the first that did.
 */
export async function answerPictures<Reply>(
  pictures: readonly Uint8Array[],
  answer: (picture: Uint8Array) => Promise<Reply>,
): Promise<Reply | { results: Reply[] }> {
  if (pictures.length === 1) return answer(pictures[0]);
  // None is left running behind the back of a request that has been answered.
  const outcomes = await Promise.allSettled(pictures.map(answer));
  const results = outcomes.map((outcome, i) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    const { code, message } = LcqError.from(outcome.reason);
    const place = `image ${i + 1} of ${pictures.length}`;
    throw new LcqError(code, `${place}: ${message}`, { cause: outcome.reason });
  });
  return { results };
}
