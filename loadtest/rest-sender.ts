import { Readable } from 'node:stream';
import { Pool } from 'undici';
import { drip } from './drip.js';
import type { Content } from './payload.js';
import type { Stream } from './scenario.js';
import { NO_CONNECTION, type Sender } from './sender.js';

/** Requests that one server may have open from here: each takes a connection. */
const CONNECTIONS = 1024;

/** Sends the stream's requests to a REST server, `http://host:port`. */
export function restSender(target: string, stream: Stream, contents: readonly Content[]): Sender {
  const pool = new Pool(target, { connections: CONNECTIONS, pipelining: 1 });
  const requests = contents.map((content) => requestOf(stream, content));
  return {
    send: (turn) => exchange(pool, requests[turn % requests.length], stream.bytesPerSecond),
    close: () => pool.destroy(),
  };
}

interface RestRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function requestOf(stream: Stream, content: Content): RestRequest {
  const { model, call, path } = stream;
  if (!call.startsWith('rest-infer')) {
    const verb = call === 'rest-detect' ? 'detect' : 'classify';
    const to = path ?? `/v1/models/${model}:${verb}`;
    if (stream.form !== undefined) return { path: to, ...formBody(stream.form, content) };
    const headers = { 'content-type': 'application/octet-stream' };
    return { path: to, headers, body: content };
  }
  const to = path ?? `/v2/models/${model}/infer`;
  return call === 'rest-infer-json'
    ? { path: to, headers: { 'content-type': 'application/json' }, body: jsonBody(stream, content) }
    : { path: to, ...binaryBody(stream, content) };
}

/** What the content of a picture cannot hold. */
const BOUNDARY = 'd1b6f3c2-4a57-4f0e-9c8a-lcq-load-test';

function formBody(field: string, content: Content): Omit<RestRequest, 'path'> {
  const head =
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${field}"; filename="picture"\r\n` +
    'content-type: application/octet-stream\r\n\r\n';
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: Buffer.concat([Buffer.from(head), content, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]),
  };
}

function inputOf({ input: name, payload }: Stream) {
  if (payload.kind !== 'tensor') throw new TypeError('the schema lets only tensors through');
  return { name, datatype: payload.datatype, shape: payload.shape };
}

function jsonBody(stream: Stream, content: Content): Buffer {
  const input = inputOf(stream);
  const bytes = Uint8Array.from(content);
  const data = [...(input.datatype === 'UINT8' ? bytes : new Float32Array(bytes.buffer))];
  return Buffer.from(JSON.stringify({ inputs: [{ ...input, data }] }));
}

function binaryBody(stream: Stream, content: Content): Omit<RestRequest, 'path'> {
  const input = { ...inputOf(stream), parameters: { binary_data_size: content.length } };
  const parameters = { binary_data_output: true };
  const json = Buffer.from(JSON.stringify({ inputs: [input], parameters }));
  return {
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    },
    body: Buffer.concat([json, content]),
  };
}

/** Resolves to `OK`, the reply's own error code, or its status where it has none. */
async function exchange(
  pool: Pool,
  { path, headers, body }: RestRequest,
  bytesPerSecond: number | undefined,
): Promise<string> {
  const isSlow = bytesPerSecond !== undefined;
  const request = {
    method: 'POST',
    path,
    // Without a length, a stream would be sent in chunks.
    headers: isSlow ? { ...headers, 'content-length': String(body.length) } : headers,
    body: isSlow ? Readable.from(drip(body, bytesPerSecond)) : body,
  } as const;
  try {
    const reply = await pool.request(request);
    const text = await reply.body.text();
    return reply.statusCode === 200 ? 'OK' : codeOf(reply.statusCode, text);
  } catch {
    return NO_CONNECTION;
  }
}

function codeOf(status: number, text: string): string {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    if (typeof code === 'string') return code;
  } catch {
    // A proxy's page or another server's: the status has to do.
  }
  return `HTTP ${status}`;
}
