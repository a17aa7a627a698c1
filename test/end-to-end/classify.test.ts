import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { rest, solidImage, withServer } from './server-under-test.js';

const RED = [250, 10, 30] as const;
const BLUE = [10, 20, 240] as const;

const postImage = (url: string, body: Uint8Array, type?: string, query = '') =>
  rest(`${url}/v1/models/colours:classify${query}`, body, {
    headers: type ? { 'content-type': type } : {},
  });

test('a picture of each format is answered with labels and scores, on both transports', () =>
  withServer(async ({ url, vision }) => {
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      const image = await solidImage(BLUE, format);
      const rest = await postImage(url, image, `image/${format}`);
      assert.equal(rest.status, 200);
      assert.equal(rest.type, 'application/json');
      assert.deepEqual(Object.keys(rest.json), ['model', 'version', 'predictions']);
      assert.equal(rest.json.model, 'colours');
      assert.equal(rest.json.version, '3');
      const [best, ...others] = rest.json.predictions;
      assert.equal(best.label, 'blue');
      assert.equal(best.index, 2);
      assert.equal(others.length, 2);
      const sum = rest.json.predictions.reduce((s: number, p: { score: number }) => s + p.score, 0);
      assert.ok(sum <= 1 && sum > 0.999);

      const reply = await vision.call('Classify', { model: 'colours', image });
      assert.deepEqual(reply, rest.json);
    }
  }));

test('a multipart form with the file field image is the same', () =>
  withServer(async ({ url }) => {
    const form = new FormData();
    form.append('note', 'ignored');
    form.append('image', new Blob([await solidImage(RED)]), 'photo.png');
    const { json } = await rest(`${url}/v1/models/colours/versions/3:classify?topK=1`, form);
    assert.deepEqual(json.predictions, [
      { index: 0, label: 'red', score: json.predictions[0].score },
    ]);
  }));

test('several pictures in a form are answered in their order', () =>
  withServer(async ({ url, session }) => {
    const form = new FormData();
    for (const colour of [RED, BLUE, RED])
      form.append('image', new Blob([await solidImage(colour)]));
    const { json } = await rest(`${url}/v1/models/colours:classify?topK=1`, form);
    assert.deepEqual(
      json.results.map(
        (result: { predictions: { label: string }[] }) => result.predictions[0].label,
      ),
      ['red', 'blue', 'red'],
    );
    const rows = session.batches.reduce((sum, size) => sum + size, 0);
    assert.equal(rows, 3);
  }));

test('a form without the field, or with too many files, is refused', () =>
  withServer(async ({ url }) => {
    for (const names of [['picture'], [], Array(33).fill('image')]) {
      const form = new FormData();
      form.append('text', 'x');
      for (const name of names) form.append(name, new Blob([await solidImage(RED)]), 'photo.png');
      const { json } = await rest(`${url}/v1/models/colours:classify`, form);
      assert.equal(json.code, names.length > 1 ? 'TOO_LARGE' : 'INVALID_ARGUMENT');
    }
  }));

test('a missing type, or application/octet-stream, leaves it to the bytes', () =>
  withServer(async ({ url }) => {
    for (const type of [undefined, 'application/octet-stream', 'image/png; q=1']) {
      const { status, json } = await postImage(url, await solidImage(RED), type);
      assert.equal(status, 200);
      assert.equal(json.predictions[0].label, 'red');
    }
  }));

test('topK picks the best; more than there are classes means all; 0 is absent over gRPC', () =>
  withServer(async ({ url, vision }) => {
    const image = await solidImage(RED);
    const labels = async (query: string) =>
      (await postImage(url, image, 'image/png', query)).json.predictions.map(
        (p: { label: string }) => p.label,
      );
    assert.deepEqual(await labels('?topK=1'), ['red']);
    assert.deepEqual(await labels('?topK=2'), ['red', 'blue']);
    assert.deepEqual(await labels('?topK=999999999'), ['red', 'blue', 'green']);
    for (const [topK, count] of [
      [0, 3],
      [1, 1],
      [4294967295, 3],
    ]) {
      const reply = await vision.call('Classify', { model: 'colours', image, top_k: topK });
      assert.equal(reply.predictions.length, count);
    }
  }));

test('a large photo is scaled and cropped', () =>
  withServer(async ({ url }) => {
    const { json } = await postImage(url, await solidImage(BLUE, 'jpeg', 1200, 800), 'image/jpeg');
    assert.equal(json.predictions[0].label, 'blue');
  }));

test('requests that arrive together run as one batch, and every caller gets its own answer', () =>
  withServer(async ({ url, vision, session, metrics }) => {
    const colours = Array.from(
      { length: 24 },
      (_, i) => [i * 10, 255 - i * 10, (i * 53) % 256] as const,
    );
    const images = await Promise.all(colours.map((colour) => solidImage(colour)));
    const alone = [];
    for (const image of images) alone.push((await postImage(url, image)).json);
    const runsAlone = session.batches.length;
    const together = await Promise.all(
      images.map((image, i) =>
        i % 2 === 0
          ? postImage(url, image).then(({ json }) => json)
          : vision.call('Classify', { model: 'colours', image }),
      ),
    );
    assert.deepEqual(together, alone);
    assert.deepEqual(
      session.batches.slice(0, runsAlone),
      images.map(() => 1),
    );
    const runs = session.batches.slice(runsAlone);
    assert.equal(
      runs.reduce((sum, rows) => sum + rows, 0),
      24,
    );
    assert.ok(Math.max(...runs) > 1 && Math.max(...runs) <= 8, `batches ${runs}`);
    assert.match(await metrics(), /lcq_batch_size_sum\{model="colours",version="3"\} 48/);
  }));

test('a cancelled call and one past its deadline are told so, and the server goes on', () =>
  withServer(async ({ vision }) => {
    const image = await solidImage(RED);
    const code = await new Promise((resolve) => {
      const call = vision.start('Classify', { model: 'colours', image }, {}, (error) =>
        resolve(error?.code),
      );
      call.cancel();
    });
    assert.equal(code, grpc.status.CANCELLED);
    const late = vision.call('Classify', { model: 'colours', image }, { deadline: Date.now() - 1 });
    await assert.rejects(late, { code: grpc.status.DEADLINE_EXCEEDED });
    const reply = await vision.call('Classify', { model: 'colours', image });
    assert.equal(reply.predictions[0].label, 'red');
  }));
