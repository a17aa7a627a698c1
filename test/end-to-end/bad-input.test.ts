import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { ERROR_CODES, type ErrorCode } from '../../src/errors.js';
import { rest, type ServerUnderTest, solidImage, withServer } from './server-under-test.js';

const GREEN = [10, 240, 20] as const;

/** A PNG of one channel whose header says `width` x `height`, with all its rows: black compresses to almost nothing. */
function blackPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 1 bit a pixel, greyscale
  header[8] = 1;
  const rows = Buffer.alloc((Math.ceil(width / 8) + 1) * height);
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body) >>> 0, 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Both transports must refuse the picture with the same code and message. */
async function assertRefused(
  { url, vision }: ServerUnderTest,
  image: Uint8Array,
  code: ErrorCode,
  message: RegExp,
): Promise<void> {
  const reply = await rest(`${url}/v1/models/colours:classify`, image, {
    headers: { 'content-type': 'image/jpeg' },
  });
  assert.equal(reply.type, 'application/json');
  assert.equal(reply.json.code, code);
  assert.match(reply.json.error, message);
  assert.equal(reply.status, ERROR_CODES[code].http);
  await assert.rejects(vision.call('Classify', { model: 'colours', image }), {
    code: ERROR_CODES[code].grpc,
    details: reply.json.error,
  });
}

async function assertUnharmed({ url, vision }: ServerUnderTest): Promise<void> {
  const image = await solidImage(GREEN);
  const { json } = await rest(`${url}/v1/models/colours:classify?topK=1`, image);
  assert.equal(json.predictions[0].label, 'green');
  const reply = await vision.call('Classify', { model: 'colours', image, top_k: 1 });
  assert.equal(reply.predictions[0].label, 'green');
}

test('what is not a good picture is refused with a code, and the server is unharmed', () =>
  withServer(
    async (server) => {
      const jpeg = await solidImage(GREEN, 'jpeg', 64, 64);
      const png = await solidImage(GREEN, 'png', 64, 64);
      const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>');
      const cases: [Uint8Array, ErrorCode, RegExp][] = [
        [new Uint8Array(0), 'INVALID_ARGUMENT', /the image is empty/],
        [Buffer.from('no picture at all'), 'INVALID_ARGUMENT', /not a JPEG, PNG or WebP/],
        [svg, 'INVALID_ARGUMENT', /not a JPEG, PNG or WebP/],
        [
          jpeg.subarray(0, 3),
          'INVALID_ARGUMENT',
          /the jpeg image has a truncated or corrupt header/,
        ],
        [jpeg.subarray(0, jpeg.length - 40), 'INVALID_ARGUMENT', /truncated or corrupt/],
        [png.subarray(0, png.length - 60), 'INVALID_ARGUMENT', /truncated or corrupt/],
        [new Uint8Array(200_001), 'TOO_LARGE', /200001 bytes; the limit is 200000/],
        [blackPng(30_000, 30_000), 'TOO_LARGE', /30000 x 30000 pixels; the limit is 1000000/],
        [blackPng(1001, 1000), 'TOO_LARGE', /1001 x 1000 pixels/],
      ];
      for (const [image, code, message] of cases) {
        await assertRefused(server, image, code, message);
        await assertUnharmed(server);
      }
    },
    { maxImageBytes: 200_000, maxImagePixels: 1_000_000 },
  ));

test('a body or message over the transport limit is refused', () =>
  withServer(
    async (server) => {
      const { url, vision } = server;
      const body = new Uint8Array(70_000);
      const reply = await rest(`${url}/v1/models/colours:classify`, body);
      assert.deepEqual([reply.status, reply.json.code], [413, 'TOO_LARGE']);
      await assert.rejects(vision.call('Classify', { model: 'colours', image: body }), {
        code: ERROR_CODES.TOO_LARGE.grpc,
      });
      const form = new FormData();
      form.append('image', new Blob([body]), 'photo.png');
      const multipart = await rest(`${url}/v1/models/colours:classify`, form);
      assert.deepEqual([multipart.status, multipart.json.code], [413, 'TOO_LARGE']);
      const several = new FormData();
      for (let i = 0; i < 2; i++)
        several.append('image', new Blob([body.subarray(0, 40_000)]), 'a');
      const sum = await rest(`${url}/v1/models/colours:classify`, several);
      assert.deepEqual([sum.status, sum.json.code], [413, 'TOO_LARGE']);
      await assertUnharmed(server);
    },
    { maxBodyBytes: 65_536, maxGrpcMessageBytes: 65_536, maxImageBytes: 65_536 },
  ));

test('unknown models and versions are NOT_FOUND, in words that clients match', () =>
  withServer(async (server) => {
    const { url, vision, inference } = server;
    const image = await solidImage(GREEN);
    const unknown: [string, string, RegExp][] = [
      ['nothing', '', /^Request for unknown model: 'nothing' is not found$/],
      ['colours', '9', /^Request for unknown model: 'colours' version 9 is not found$/],
      ['colours', 'x', /^Request for unknown model: 'colours' version is not a number$/],
      ['__proto__', '', /^Request for unknown model: the name is not a model name$/],
      ['..', '', /is not a model name$/],
      ['colours/../colours', '', /is not a model name$/],
    ];
    for (const [model, version, message] of unknown) {
      const path = `${encodeURIComponent(model)}${version ? `/versions/${version}` : ''}`;
      // fetch resolves dots in a path, encoded or not
      if (model !== '..') {
        for (const [target, body] of [
          [`/v1/models/${path}:classify`, image],
          [`/v2/models/${path}/infer`, '{"inputs":[]}'],
          [`/v2/models/${path}`, undefined],
          [`/v2/models/${path}/ready`, undefined],
        ] as const) {
          const { status, type, json } = await rest(`${url}${target}`, body);
          assert.deepEqual([status, type, json.code], [404, 'application/json', 'NOT_FOUND']);
          assert.match(json.error, message);
        }
      }
      const notFound = (error: { code: number; details: string }) => {
        assert.equal(error.code, ERROR_CODES.NOT_FOUND.grpc);
        assert.match(error.details, message);
        return true;
      };
      const name = { name: model, version };
      const reference = { model_name: model, model_version: version };
      await assert.rejects(vision.call('Classify', { model, version, image }), notFound);
      await assert.rejects(inference.call('ModelInfer', reference), notFound);
      await assert.rejects(inference.call('ModelMetadata', name), notFound);
      await assert.rejects(inference.call('ModelReady', name), notFound);
    }
    await assertUnharmed(server);
  }));

test('a name of megabytes does not come back in the message', () =>
  withServer(async ({ vision, inference }) => {
    const long = 'x'.repeat(2_000_000);
    const short = (error: { details: string }) => error.details.length < 1100;
    await assert.rejects(vision.call('Classify', { model: long }), short);
    const inputs = [{ name: long }];
    const request = { model_name: 'colours', inputs, raw_input_contents: [Buffer.alloc(1)] };
    await assert.rejects(inference.call('ModelInfer', request), short);
  }));

test('topK that is no positive integer is refused', () =>
  withServer(async ({ url }) => {
    const image = await solidImage(GREEN);
    for (const value of ['0', '-1', '1.5', 'many', '', '1e1', '99999999999', '1&topK=2']) {
      const { status, json } = await rest(`${url}/v1/models/colours:classify?topK=${value}`, image);
      assert.deepEqual([status, json.code], [400, 'INVALID_ARGUMENT'], value);
      assert.match(json.error, /topK/);
    }
  }));

test('wrong paths, verbs, types and encodings each have their status', () =>
  withServer(async ({ url }) => {
    const cases: [string, string, RequestInit, number, ErrorCode][] = [
      ['/nothing', '', {}, 404, 'NOT_FOUND'],
      ['/v1/models/colours:explain', '', {}, 404, 'NOT_FOUND'],
      ['/v1/models/%zz:classify', '', {}, 400, 'INVALID_ARGUMENT'],
      ['/v1/models/colours:classify', '', { method: 'PUT' }, 405, 'METHOD_NOT_ALLOWED'],
      ['/v2/models/colours/infer', '', { method: 'DELETE' }, 405, 'METHOD_NOT_ALLOWED'],
      ['/v2/health/live', '', {}, 405, 'METHOD_NOT_ALLOWED'],
      ['/v2', '', {}, 405, 'METHOD_NOT_ALLOWED'],
      [
        '/v1/models/colours:classify',
        'x',
        { headers: { 'content-type': 'text/plain' } },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      [
        '/v1/models/colours:classify',
        'x',
        { headers: { 'content-encoding': 'br' } },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      [
        '/v1/models/colours:classify',
        'x',
        { headers: { 'content-encoding': 'gzip' } },
        400,
        'INVALID_ARGUMENT',
      ],
      [
        '/v1/models/colours:classify',
        'x',
        { headers: { 'content-encoding': 'gzip', 'content-type': 'multipart/form-data' } },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      [
        '/v1/models/colours:classify',
        'x',
        { headers: { 'content-type': 'multipart/form-data' } },
        400,
        'INVALID_ARGUMENT',
      ],
      [
        '/v1/models/colours:classify',
        '--b\r\nbroken',
        { headers: { 'content-type': 'multipart/form-data; boundary=b' } },
        400,
        'INVALID_ARGUMENT',
      ],
    ];
    for (const [path, body, init, status, code] of cases) {
      const reply = await rest(`${url}${path}`, body, init);
      assert.deepEqual(
        [reply.status, reply.type, reply.json.code],
        [status, 'application/json', code],
        path,
      );
      assert.equal(typeof reply.json.error, 'string');
      if (status === 405) assert.ok(reply.headers.get('allow'));
    }
    const get = await rest(`${url}/v1/models/colours:classify`);
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
  }));

test('what is not even HTTP gets a coded answer', () =>
  withServer(async (server) => {
    const socket = connect(server.ports.http, '127.0.0.1');
    socket.end('THIS IS NOT HTTP\r\n\r\n');
    const reply = await text(socket);
    assert.match(reply, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(reply, /\r\ncontent-type: application\/json\r\n/);
    assert.match(reply, /\{"error":"Bad Request","code":"INVALID_ARGUMENT"\}$/);
    await assertUnharmed(server);
  }));
