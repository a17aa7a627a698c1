/** Requests to every REST endpoint, whole and damaged, as the bytes that go over the connection. */
import { deflateSync, gzipSync } from 'node:zlib';
import fc, { type Arbitrary } from 'fast-check';
import type { FuzzTargets } from './campaign.js';
import { damaged, damagedJson, oddText } from './mutations.js';

export interface RestRequest {
  readonly bytes: Buffer;
  /** Its framing is sound: it must be answered. */
  readonly isComplete: boolean;
  /** The reply to it has no body. */
  readonly isHead: boolean;
}

interface Parts {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

type Framing = 'length' | 'chunked' | 'short' | 'long' | 'twice' | 'both' | 'none' | 'bad chunk';

/** One request; most have one to three kinds of damage. */
export function restRequests(targets: FuzzTargets): Arbitrary<RestRequest> {
  const framing = fc.oneof(
    { weight: 40, arbitrary: fc.constant<Framing>('length') },
    { weight: 6, arbitrary: fc.constant<Framing>('chunked') },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Framing>('short', 'long', 'twice', 'both', 'none', 'bad chunk'),
    },
  );
  const whole = validParts(targets);
  const mutated = whole.chain((parts) =>
    fc
      .array(fc.constantFrom(...DAMAGES), { minLength: 1, maxLength: 3 })
      .chain((damages) =>
        damages.reduce(
          (sofar, damage) => sofar.chain(damage),
          fc.constant(parts) as Arbitrary<Parts>,
        ),
      ),
  );
  const parts = fc.oneof({ weight: 1, arbitrary: whole }, { weight: 12, arbitrary: mutated });
  const framed = fc.tuple(parts, framing).map(([request, how]) => frame(request, how));
  const broken = framed.chain(({ bytes }) =>
    damaged(bytes, 3).map((bytes) => ({ bytes, isComplete: false, isHead: isHead(bytes) })),
  );
  return fc.oneof({ weight: 15, arbitrary: framed }, { weight: 1, arbitrary: broken });
}

const isHead = (bytes: Buffer) => bytes.subarray(0, 5).toString('latin1') === 'HEAD ';

function validParts({ classifiers, detector, picture }: FuzzTargets): Arbitrary<Parts> {
  const model = fc.constantFrom(...classifiers, detector);
  const get = (target: Arbitrary<string>) =>
    target.map((target) => ({ method: 'GET', target, headers: [], body: Buffer.alloc(0) }));
  const post = (target: string, body: Buffer, ...headers: [string, string][]): Parts => ({
    method: 'POST',
    target,
    headers,
    body,
  });
  const path = fc
    .tuple(model, fc.constantFrom('', '/versions/1'))
    .map(([name, version]) => `${name}${version}`);
  const query = fc.constantFrom(
    ...['', '?topK=3', '?topK=0', '?render=1', '?scoreThreshold=0.2&maxDetections=4'],
    ...['?iouThreshold=2', '?maxDetections=1e9', '?topK=1&topK=2', '?render=yes', '?%zz=%'],
  );
  return fc.oneof(
    get(
      fc.constantFrom(
        ...['/v2', '/v2/', '/v2/health/live', '/v2/health/ready', '/v2/models/stats', '/docs'],
        ...['/v2/logging', '/v2/trace/setting', '/v2/systemsharedmemory/status', '/', '/metrics'],
      ),
    ),
    get(
      fc
        .tuple(path, fc.constantFrom('', '/config', '/stats', '/ready', '/trace/setting'))
        .map(([model, what]) => `/v2/models/${model}${what}`),
    ),
    fc
      .tuple(path, inferBodies(picture))
      .map(([model, [body, ...headers]]) => post(`/v2/models/${model}/infer`, body, ...headers)),
    fc
      .tuple(path, fc.constantFrom('classify', 'detect'), query, fc.constantFrom(...FORMS))
      .map(([model, verb, query, form]) =>
        post(`/v1/models/${model}:${verb}${query}`, ...form(picture)),
      ),
    fc
      .constantFrom('', '{}', '{"ready":true}', '[]')
      .map((body) => post('/v2/repository/index', Buffer.from(body))),
    fc
      .tuple(
        fc.constantFrom(detector, 'nothing'),
        fc.constantFrom('load', 'unload', 'load', 'load'),
        fc.constantFrom('', '{"parameters":{}}', '{"parameters":{"unload_dependents":true}}'),
      )
      .map(([model, verb, body]) =>
        post(`/v2/repository/models/${model}/${verb}`, Buffer.from(body)),
      ),
  );
}

type InferBody = readonly [Buffer, ...[string, string][]];

const JSON_LENGTH = 'inference-header-content-length';
/** Of the classifiers: `image` UINT8 [N,32,32,3]. */
const PIXELS = Buffer.from(Uint8Array.from({ length: 3072 }, (_, i) => (i * 7) % 256));
const IMAGE = { name: 'image', datatype: 'UINT8', shape: [1, 32, 32, 3] };
const OUTPUTS = [
  undefined,
  [],
  [{ name: 'logits', parameters: { binary_data: true } }],
  [{ name: 'logits', parameters: { classification: 3, binary_data: false } }],
];

function inferBodies(picture: Buffer): Arbitrary<InferBody> {
  const request = fc.record(
    {
      id: fc.constantFrom('7', '', 'x'.repeat(300)),
      parameters: fc.constantFrom<object>(
        { priority: 1, timeout: 5_000_000 },
        { binary_data_output: true },
        { triton_reserved: 1, priority: -1 },
        { sequence_id: 'a', timeout: 1 },
      ),
      outputs: fc.constantFrom(...OUTPUTS),
    },
    { requiredKeys: [] },
  );
  const json = (value: object, ...inputs: object[]) =>
    fc
      .oneof(
        { weight: 1, arbitrary: fc.constant<unknown>({ ...value, inputs }) },
        { weight: 3, arbitrary: damagedJson({ ...value, inputs }) },
      )
      .map((body) => Buffer.from(JSON.stringify(body) ?? ''));
  const binary = (head: Buffer, tail: Buffer): InferBody => [
    Buffer.concat([head, tail]),
    [JSON_LENGTH, String(head.length)],
  ];
  const sized = (size: number) => ({ parameters: { binary_data_size: size } });
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(picture.length);
  const bytes = Buffer.concat([prefix, picture]);
  const encoded = { name: 'image', datatype: 'BYTES', shape: [1] };
  return fc.oneof(
    request.chain((value) => json(value, { ...IMAGE, data: [...PIXELS] })).map((b) => [b] as const),
    request
      .chain((value) => json(value, { ...IMAGE, ...sized(3072) }))
      .map((head) => binary(head, PIXELS)),
    request
      .chain((value) => json(value, { ...encoded, ...sized(bytes.length) }))
      .chain((head) =>
        fc
          .oneof(fc.constant(bytes), damaged(bytes, 2))
          .map((tail): InferBody => binary(head, tail)),
      ),
    fc.constant<InferBody>([PIXELS, [JSON_LENGTH, '0']]),
  );
}

type Form = (picture: Buffer) => [Buffer, ...[string, string][]];

const part = (disposition: string, content: Buffer | string) =>
  Buffer.concat([
    Buffer.from(`--edge\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ]);
const multipart = (...parts: Buffer[]): [Buffer, [string, string]] => [
  Buffer.concat([...parts, Buffer.from('--edge--\r\n')]),
  ['content-type', 'multipart/form-data; boundary=edge'],
];

/** Ways to send a picture. */
const FORMS: readonly Form[] = [
  (picture) => [picture, ['content-type', 'image/jpeg']],
  (picture) => [picture],
  (picture) => multipart(part('name="image"; filename="a.png"', picture)),
  (picture) =>
    multipart(
      ...[1, 2, 3].map((i) => part(`name="image"; filename="${i}.png"`, picture)),
      part('name="note"', 'hello'),
    ),
  (picture) => multipart(part('name="picture"; filename="a.png"', picture)),
  () => multipart(...Array.from({ length: 40 }, (_, i) => part(`name="field${i}"`, 'x'))),
  (picture) => multipart(part('name="image"; filename="a.png"', picture).subarray(0, 80)),
];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'];
const odd = (...texts: string[]) => fc.oneof(fc.constantFrom(...texts), oddText);

/** Headers that the server or the library below it looks at. */
const headers: Arbitrary<readonly [string, string]> = fc.oneof(
  fc.tuple(
    fc.constant('content-type'),
    odd(
      'text/plain',
      'application/json; charset=utf-16',
      'multipart/form-data; boundary=',
      'a/b/c',
    ),
  ),
  fc.tuple(fc.constant('content-encoding'), odd('gzip', 'deflate', 'br', 'gzip, gzip', 'identity')),
  fc.tuple(fc.constant('accept-encoding'), odd('gzip;q=x', 'deflate;q=1, gzip;q=0', '*', 'gzip')),
  fc.tuple(fc.constant(JSON_LENGTH), odd('0', '1', '-1', '10', '1e3', '0x10', '00', '1, 2')),
  fc.tuple(fc.constant('x-request-timeout-ms'), odd('1', '0', '-5', '60000', '1.5')),
  fc.tuple(fc.constantFrom('x-request-id', 'traceparent', 'x-api-key', 'authorization'), oddText),
  fc.tuple(fc.constant('expect'), odd('100-continue', '200-maybe')),
  fc.tuple(fc.constantFrom('connection', 'upgrade'), odd('close', 'upgrade', 'h2c', 'keep-alive')),
  fc.tuple(fc.constantFrom('host', 'range', 'te', 'origin', 'accept', 'cookie', 'x-a'), oddText),
);

type Damage = (parts: Parts) => Arbitrary<Parts>;
const withHeader = (parts: Parts, ...header: [string, string]): Parts => ({
  ...parts,
  headers: [...parts.headers.filter(([name]) => name !== header[0]), header],
});

const damageBody: Damage = (parts) => damaged(parts.body).map((body) => ({ ...parts, body }));
const damageTarget: Damage = (parts) =>
  fc.tuple(fc.nat(), fc.nat(6), oddText, fc.boolean()).map(([at, removed, text, isEscaped]) => {
    const start = at % parts.target.length;
    const inserted = isEscaped ? encodeURIComponent(text.toWellFormed()) : text;
    const end = parts.target.slice(start + removed);
    return { ...parts, target: `${parts.target.slice(0, start)}${inserted}${end}` };
  });
const damageMethod: Damage = (parts) =>
  fc.constantFrom(...METHODS, 'get', 'FOO', '').map((method) => ({ ...parts, method }));
const addHeader: Damage = (parts) => headers.map((header) => withHeader(parts, ...header));
/** Encoded as its header says; or a bomb. */
const encodeBody: Damage = (parts) =>
  fc.tuple(fc.boolean(), fc.nat(9)).map(([isGzip, chance]) => {
    const body = chance === 0 ? BOMB : parts.body;
    const encoded = isGzip ? gzipSync(body) : deflateSync(body);
    return withHeader({ ...parts, body: encoded }, 'content-encoding', isGzip ? 'gzip' : 'deflate');
  });
const DAMAGES: readonly Damage[] = [
  ...[damageBody, damageBody, damageTarget, damageMethod],
  ...[addHeader, addHeader, encodeBody],
];

/** More than a body may be once decoded, by a few bytes. */
const BOMB = Buffer.alloc((1 << 20) + 100);

function frame({ method, target, headers, body }: Parts, framing: Framing): RestRequest {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  if (!headers.some(([name]) => name === 'host')) lines.unshift('host: fuzz');
  const [length, content] = FRAMINGS[framing](body);
  const head = `${method} ${target} HTTP/1.1\r\n${[...lines, ...length].join('\r\n')}\r\n\r\n`;
  return {
    bytes: Buffer.concat([Buffer.from(head), content]),
    isComplete: framing === 'length' || framing === 'chunked',
    isHead: method === 'HEAD',
  };
}

const chunksOf = (body: Buffer, mark = '') => {
  const half = body.length >> 1;
  const chunks = [body.subarray(0, half), body.subarray(half)].filter(({ length }) => length > 0);
  const framed = chunks.map((chunk) =>
    Buffer.concat([Buffer.from(`${chunk.length.toString(16)}${mark}\r\n`), chunk, EOL]),
  );
  return Buffer.concat([...framed, Buffer.from('0\r\n\r\n')]);
};
const EOL = Buffer.from('\r\n');
const CHUNKED = 'transfer-encoding: chunked';

const FRAMINGS: Readonly<Record<Framing, (body: Buffer) => [string[], Buffer]>> = {
  length: (body) => [[`content-length: ${body.length}`], body],
  chunked: (body) => [[CHUNKED], chunksOf(body)],
  short: (body) => [[`content-length: ${body.length + 100}`], body],
  long: (body) => [[`content-length: ${body.length >> 1}`], body],
  twice: (body) => [[`content-length: ${body.length}`, 'content-length: 5'], body],
  both: (body) => [[`content-length: ${body.length}`, CHUNKED], chunksOf(body)],
  none: (body) => [[], body],
  'bad chunk': (body) => [[CHUNKED], chunksOf(body, 'zz')],
};
