import assert from 'node:assert/strict';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { rest, solidImage, withServer } from './server-under-test.js';

const input = { name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3] };
const DATA = Array.from({ length: 192 }, (_, i) => i);
const BODY = JSON.stringify({ inputs: [{ ...input, data: DATA }] });

test('bodies in gzip and deflate are read, JSON, tensors and pictures', () =>
  withServer(async ({ url }) => {
    const infer = `${url}/v2/models/colours/infer`;
    const plain = (await rest(infer, BODY)).json;
    const head = JSON.stringify({ inputs: [{ ...input, parameters: { binary_data_size: 192 } }] });
    const binary = Buffer.concat([Buffer.from(head), Buffer.from(DATA)]);
    for (const [encoding, encode] of [
      ['gzip', gzipSync],
      ['GZIP', gzipSync],
      ['deflate', deflateSync],
    ] as const) {
      const headers = { 'content-encoding': encoding };
      assert.deepEqual((await rest(infer, encode(BODY), { headers })).json, plain);
      // The header counts decoded bytes.
      const withLength = { ...headers, 'inference-header-content-length': String(head.length) };
      assert.deepEqual((await rest(infer, encode(binary), { headers: withLength })).json, plain);
      const picture = encode(await solidImage([255, 0, 0]));
      const { json } = await rest(`${url}/v1/models/colours:classify`, picture, { headers });
      assert.equal(json.predictions[0].label, 'red');
    }
  }));

test('a bomb is refused at the limit of a body, corrupt data with its own code', () =>
  withServer(
    async ({ url }) => {
      const infer = `${url}/v2/models/colours/infer`;
      const headers = { 'content-encoding': 'gzip' };
      const bomb = gzipSync(Buffer.alloc(1 << 26), { level: 9 });
      assert.ok(bomb.length < 70_000);
      const refused = await rest(infer, bomb, { headers });
      assert.deepEqual([refused.status, refused.json.code], [413, 'TOO_LARGE']);
      assert.match(refused.json.error, /decodes to more than 100000 bytes/);
      const whole = gzipSync(BODY);
      for (const body of [whole.subarray(0, -4), Buffer.from('not gzip'), deflateSync(BODY)]) {
        const { status, json } = await rest(infer, body, { headers });
        assert.deepEqual([status, json.code], [400, 'INVALID_ARGUMENT']);
      }
      assert.equal((await rest(infer, whole, { headers })).status, 200);
    },
    { maxBodyBytes: 100_000, maxImageBytes: 100_000 },
  ));

/** Over a client that decodes nothing by itself. */
function get(url: string, acceptEncoding: string): Promise<{ encoding?: string; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { 'accept-encoding': acceptEncoding };
    const sent = request(url, { headers }, async (response) => {
      const body = await buffer(response);
      assert.equal(response.headers['content-length'], String(body.length));
      const encoding = response.headers['content-encoding'];
      resolve(encoding === undefined ? { body } : { encoding, body });
    });
    sent.on('error', reject).end();
  });
}

test('replies of some size are encoded as the client prefers, small ones never', () =>
  withServer(async ({ url }) => {
    const large = `${url}/v2/models/colours/config`;
    const text = (await get(large, 'identity')).body;
    // The body must be worth it.
    assert.ok(text.length < 1024);
    const many = `${url}/v2/models/stats`;
    const cases: [string, string | undefined][] = [
      ['gzip', 'gzip'],
      ['deflate, gzip', 'gzip'],
      ['deflate', 'deflate'],
      ['gzip;q=0.5, deflate', 'deflate'],
      ['gzip;q=0', undefined],
      ['br', undefined],
      ['*', 'gzip'],
      ['', undefined],
    ];
    for (let rows = 1; rows <= 8; rows++) {
      const data = Array.from({ length: rows * 192 }, () => 0);
      const inputs = [{ ...input, shape: [rows, 8, 8, 3], data }];
      await rest(`${url}/v2/models/colours/infer`, JSON.stringify({ inputs }));
    }
    const expected = (await get(many, 'identity')).body;
    assert.ok(expected.length > 1024);
    for (const [accept, encoding] of cases) {
      const reply = await get(many, accept);
      assert.equal(reply.encoding, encoding, accept);
      const body =
        encoding === 'gzip'
          ? gunzipSync(reply.body)
          : encoding === 'deflate'
            ? inflateSync(reply.body)
            : reply.body;
      assert.deepEqual(body, expected);
      assert.equal((await get(large, accept)).encoding, undefined);
    }
  }));
