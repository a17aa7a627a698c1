import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type * as grpc from '@grpc/grpc-js';
import { colourSession } from '../serving/colour-model.js';
import { rest, type ServerUnderTest, solidImage, withServer } from './server-under-test.js';

const RUN_MS = 40;
const slow = () => colourSession(() => setTimeout(RUN_MS));

/** Durations by name, and the batch. */
function parse(header: string | null) {
  const entries = (header ?? '').split(', ').map((entry) => entry.split(';'));
  const parts = Object.fromEntries(
    entries.flatMap(([name, value]) => {
      return value?.startsWith('dur=') ? [[name, Number(value.slice(4))]] : [];
    }),
  );
  const batch = entries.find(([name]) => name === 'batch')?.[1];
  return { parts, batch };
}

const NAMES = ['queue', 'preprocess', 'infer', 'postprocess'];

async function trailer({ vision }: ServerUnderTest, image: Buffer): Promise<grpc.Metadata> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error | null) => error && reject(error);
    const call = vision.start('Classify', { model: 'colours', image }, {}, fail);
    call.on('status', ({ metadata }: grpc.StatusObject) => resolve(metadata));
  });
}

test('replies to inference say where their time went, on both transports', () =>
  withServer(
    async (context) => {
      const image = await solidImage([255, 0, 0]);
      const headers = { 'content-type': 'image/png' };
      const url = `${context.url}/v1/models/colours:classify`;
      const start = performance.now();
      const { headers: replied } = await rest(url, image, { headers });
      const elapsed = performance.now() - start;
      const { parts, batch } = parse(replied.get('server-timing'));
      assert.deepEqual(Object.keys(parts), NAMES);
      assert.equal(batch, 'desc="1"');
      // A timer may fire a little early.
      assert.ok(parts.infer > RUN_MS - 2, `infer took ${parts.infer} ms`);
      assert.ok(parts.preprocess > 0);
      const sum = NAMES.reduce((total, name) => total + parts[name], 0);
      assert.ok(sum <= elapsed, `${sum} ms of ${elapsed}`);

      const inputs = [
        { name: 'image', datatype: 'UINT8', shape: [2, 8, 8, 3], data: new Array(384).fill(9) },
      ];
      const inferred = await rest(
        `${context.url}/v2/models/colours/infer`,
        JSON.stringify({ inputs }),
      );
      assert.equal(parse(inferred.headers.get('server-timing')).batch, 'desc="2"');

      const [value] = (await trailer(context, image)).get('server-timing');
      assert.deepEqual(Object.keys(parse(String(value)).parts), NAMES);
    },
    {},
    slow(),
  ));

test('pictures of one request share the header, and what ran nothing has none', () =>
  withServer(
    async ({ url }) => {
      const form = new FormData();
      const image = await solidImage([0, 255, 0]);
      for (let i = 0; i < 3; i++) form.append('image', new Blob([Uint8Array.from(image)]), 'x.png');
      const classify = `${url}/v1/models/colours:classify`;
      const { headers } = await rest(classify, form);
      const { parts, batch } = parse(headers.get('server-timing'));
      assert.deepEqual(Object.keys(parts), NAMES);
      assert.match(batch ?? '', /^desc="[123]"$/);
      for (const reply of [await rest(`${url}/v2`), await rest(classify, 'no picture')]) {
        assert.equal(reply.headers.get('server-timing'), null);
      }
    },
    {},
    slow(),
  ));
