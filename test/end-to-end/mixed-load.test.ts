import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rest, type ServerUnderTest, solidImage, withServer } from './server-under-test.js';

const COLOURS = Array.from(
  { length: 25 },
  (_, i) => [(i * 61) % 256, (i * 97) % 256, (i * 151) % 256] as const,
);

/** Requests that must fail, each resolving to the code it was refused with. */
function badRequests({ url, vision, inference }: ServerUnderTest, image: Buffer) {
  const classify = (body: Uint8Array, query = '') =>
    rest(`${url}/v1/models/colours:classify${query}`, body).then(({ json }) => json.code);
  const refused = (call: Promise<unknown>) =>
    call.then(
      () => 'OK',
      (error: { code: number }) => error.code,
    );
  return [
    () => classify(image.subarray(0, 50)),
    () => classify(Buffer.from('junk')),
    () => classify(image, '?topK=0'),
    () => rest(`${url}/v2/models/colours/infer`, '{').then(({ json }) => json.code),
    () => refused(vision.call('Classify', { model: 'colours', image: image.subarray(0, 50) })),
    () => refused(inference.call('ModelInfer', { model_name: 'colours' })),
  ];
}

test('200 mixed good and bad requests, 16 at a time: the good are right, the bad are coded', () =>
  withServer(async (server) => {
    const { url, vision, session } = server;
    const images = await Promise.all(COLOURS.map((colour) => solidImage(colour)));
    const expected: unknown[] = [];
    for (const image of images) {
      const { json } = await rest(`${url}/v1/models/colours:classify`, image);
      expected.push(json.predictions);
    }
    const bad = badRequests(server, images[0]);
    const send = async (i: number) => {
      if (i % 3 === 0) {
        const code = await bad[(i / 3) % bad.length]();
        assert.ok(code === 'INVALID_ARGUMENT' || code === 3, `request ${i}: ${code}`);
        return;
      }
      const which = (i * 7) % images.length;
      const reply =
        i % 2 === 0
          ? await vision.call('Classify', { model: 'colours', image: images[which] })
          : (await rest(`${url}/v1/models/colours:classify`, images[which])).json;
      assert.deepEqual(reply.predictions, expected[which], `request ${i}`);
    };
    let next = 0;
    const sender = async () => {
      while (next < 200) await send(next++);
    };
    await Promise.all(Array.from({ length: 16 }, sender));
    assert.ok(Math.max(...session.batches) > 1, 'nothing was batched');
  }));
