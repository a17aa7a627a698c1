import { promisify } from 'node:util';
import { constants, deflate, gunzip, gzip, inflate } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LcqError } from '../../errors.js';

const DECODERS = { gzip: promisify(gunzip), deflate: promisify(inflate) };
const ENCODERS = { gzip: promisify(gzip), deflate: promisify(deflate) };
type Encoding = keyof typeof DECODERS;

const COMPRESSED_TYPES = ['application/json', 'application/octet-stream'];
/** Below this, a reply fits one packet as it is. */
const MIN_BYTES = 1024;

/**
 * The body of a request without its content encoding, at most `limit` bytes long: a bomb is given up at that size.
 *
 * Rejects with TOO_LARGE, with INVALID_ARGUMENT for corrupt data, with UNSUPPORTED_MEDIA_TYPE for other encodings.
 */
export async function decodeBody(
  body: Buffer,
  contentEncoding: string | undefined,
  limit: number,
): Promise<Buffer> {
  const encoding = contentEncoding?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity') return body;
  if (!isEncoding(encoding)) {
    const message = `content encoding '${encoding}' is not supported; gzip and deflate are`;
    throw new LcqError('UNSUPPORTED_MEDIA_TYPE', message);
  }
  try {
    return await DECODERS[encoding](body, { maxOutputLength: limit });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      const message = `the body decodes to more than ${limit} bytes`;
      throw new LcqError('TOO_LARGE', message, { cause });
    }
    throw new LcqError('INVALID_ARGUMENT', `the body is not valid ${encoding} data`, { cause });
  }
}

/** An onSend hook: encodes tensors and JSON of some size for clients that accept it. */
export async function encodeReply(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const type = reply.getHeader('content-type');
  if (!COMPRESSED_TYPES.includes(String(type)) || !Buffer.isBuffer(payload)) return payload;
  const encoding = acceptedEncoding(request.headers['accept-encoding']);
  if (encoding === undefined || payload.length < MIN_BYTES) return payload;
  const encoded = await ENCODERS[encoding](payload, { level: constants.Z_BEST_SPEED });
  reply.header('content-encoding', encoding).header('vary', 'accept-encoding');
  reply.header('content-length', encoded.length);
  return encoded;
}

/** Of the encodings an Accept-Encoding header lists the one it prefers; gzip of equals. */
function acceptedEncoding(header: string | string[] | undefined): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const item of String(header ?? '').split(',')) {
    const [name, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(name, quality === undefined ? 1 : Number(quality));
  }
  const weight = (encoding: Encoding) => weights.get(encoding) ?? weights.get('*') ?? 0;
  const best = weight('deflate') > weight('gzip') ? 'deflate' : 'gzip';
  return weight(best) > 0 ? best : undefined;
}

const isEncoding = (name: string): name is Encoding => Object.hasOwn(DECODERS, name);
