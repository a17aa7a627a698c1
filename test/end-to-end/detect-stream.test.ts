import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { blockPicture, withDetectionServer } from './block-detector.js';
import type { GrpcClient } from './server-under-test.js';

interface Reply {
  readonly image: object;
  readonly detections: readonly { readonly box: Readonly<Record<string, number>> }[];
}

const openStream = (vision: GrpcClient) => vision.stream<object, Reply>('DetectStream');

const block = (column: number, row: number) =>
  blockPicture(64, 64, [{ colour: '#f00', at: [column, row] }])
    .png()
    .toBuffer();

test('a stream is answered in its order', () =>
  withDetectionServer(async ({ vision, metrics }) => {
    const places = Array.from({ length: 40 }, (_, i) => [i % 3, Math.floor(i / 3) % 3] as const);
    const images = await Promise.all(places.map(([column, row]) => block(column, row)));
    const stream = openStream(vision);
    for (const image of images) stream.write({ model: 'blocks', image });
    stream.end();
    const centres: [number, number][] = [];
    for await (const { image, detections } of stream) {
      assert.deepEqual(image, { width: 64, height: 64 });
      const { x, y, width, height } = detections[0].box;
      // Boxes at the border are cut off: their far corners tell where they are.
      centres.push([(x + width - 24) / 16, (y + height - 24) / 16]);
    }
    assert.deepEqual(centres, places);
    assert.match(await metrics(), /operation="detect",code="OK"\} 40/);
  }));

test('each reply comes when it is ready, not when the stream ends', () =>
  withDetectionServer(async ({ vision }) => {
    const stream = openStream(vision);
    const replies = stream[Symbol.asyncIterator]();
    for (let i = 0; i < 3; i++) {
      stream.write({ model: 'blocks', image: await block(1, 1) });
      const { value } = await replies.next();
      assert.equal(value.detections.length, 1);
    }
    stream.end();
    assert.equal((await replies.next()).done, true);
  }));

test('the first failure ends the stream with its status, after the replies before it', () =>
  withDetectionServer(async ({ vision, metrics }) => {
    const stream = openStream(vision);
    const image = await block(1, 1);
    for (const bytes of [image, image, Buffer.from('junk'), image]) {
      stream.write({ model: 'blocks', image: bytes });
    }
    let replies = 0;
    stream.on('data', () => {
      replies += 1;
    });
    const [error] = await once(stream, 'error');
    assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
    assert.match(error.details, /not a JPEG, PNG or WebP file/);
    assert.equal(replies, 2);
    const reply = await vision.call('Detect', { model: 'blocks', image });
    assert.equal(reply.detections.length, 1);
    assert.match(await metrics(), /operation="detect",code="INVALID_ARGUMENT"\} 1/);
  }));

test('a client that goes away leaves the server as it was', () =>
  withDetectionServer(async ({ vision }) => {
    const image = await block(1, 1);
    for (let i = 0; i < 5; i++) {
      const stream = openStream(vision);
      stream.on('data', () => {});
      for (let n = 0; n < 12; n++) stream.write({ model: 'blocks', image });
      setImmediate(() => stream.cancel());
      const [error] = await once(stream, 'error');
      assert.equal(error.code, grpc.status.CANCELLED);
    }
    const reply = await vision.call('Detect', { model: 'blocks', image });
    assert.equal(reply.detections.length, 1);
  }));
