import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import sharp from 'sharp';
import { BLOCK_LABELS, type Block, blockPicture, withDetectionServer } from './block-detector.js';
import { rest } from './server-under-test.js';

const RED: Block = { colour: '#f00', at: [1, 1] };
const redBlock = () => blockPicture(64, 64, [RED]).png().toBuffer();

test('a picture is answered with boxes in its own pixels, alike on both transports', () =>
  withDetectionServer(async ({ url, vision }) => {
    // Wider than high: letterboxed, with padding below.
    const blue: Block = { colour: '#00f', at: [3, 0] };
    const picture = blockPicture(64, 32, [{ colour: '#f00', at: [0, 1] }, blue]);
    for (const image of [await picture.png().toBuffer(), await picture.webp().toBuffer()]) {
      const { status, json } = await rest(`${url}/v1/models/blocks:detect`, image);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(json), ['model', 'version', 'image', 'detections']);
      assert.equal(json.model, 'blocks');
      assert.equal(json.version, '1');
      assert.deepEqual(json.image, { width: 64, height: 32 });
      const byClass = json.detections.toSorted((a: Found, b: Found) => a.index - b.index);
      assert.deepEqual(
        byClass.map(({ index, label, box }: Found) => ({ index, label, box })),
        [
          { index: 0, label: BLOCK_LABELS[0], box: { x: 40, y: 0, width: 24, height: 24 } },
          { index: 2, label: 'red', box: { x: 0, y: 8, width: 24, height: 24 } },
        ],
      );
      for (const { score } of json.detections) assert.ok(score > 0.8 && score <= 1);
      assert.deepEqual(await vision.call('Detect', { model: 'blocks', image }), json);
      const versioned = await rest(`${url}/v1/models/blocks/versions/1:detect`, image);
      assert.deepEqual(versioned.json, json);
    }
  }));

interface Found {
  readonly index: number;
  readonly label: string;
  readonly score: number;
  readonly box: object;
}

test('boxes are of the upright picture, whatever its EXIF orientation', () =>
  withDetectionServer(async ({ url }) => {
    const upright = blockPicture(64, 32, [{ colour: '#f00', at: [1, 0] }]);
    // 6: shown after a quarter turn clockwise, so stored after one counterclockwise.
    const stored = sharp(await upright.png().toBuffer()).rotate(-90);
    const image = await stored.withMetadata({ orientation: 6 }).png().toBuffer();
    assert.equal((await sharp(image).metadata()).width, 32);
    const { json } = await rest(`${url}/v1/models/blocks:detect`, image);
    assert.deepEqual(json.image, { width: 64, height: 32 });
    assert.deepEqual(
      json.detections.map(({ box }: Found) => box),
      [{ x: 8, y: 0, width: 32, height: 24 }],
    );
  }));

test('scoreThreshold, iouThreshold and maxDetections, on both transports', () =>
  withDetectionServer(async ({ url, vision }) => {
    // Neighbours of one class, whose boxes have an IoU of 1/3, and another that is fainter.
    const blocks = [RED, { ...RED, at: [2, 1] as const }, { colour: '#900', at: [1, 3] as const }];
    const image = await blockPicture(64, 64, blocks).png().toBuffer();
    const cases: [string, object, number][] = [
      ['', {}, 3],
      ['?scoreThreshold=0.8', { score_threshold: 0.8 }, 2],
      ['?scoreThreshold=1', { score_threshold: 1 }, 0],
      ['?iouThreshold=.3', { iou_threshold: 0.3 }, 2],
      ['?iouThreshold=0.4', { iou_threshold: 0.4 }, 3],
      ['?maxDetections=1', { max_detections: 1 }, 1],
      ['?maxDetections=1000', { max_detections: 1000 }, 3],
      ['?iouThreshold=1&scoreThreshold=0', { iou_threshold: 1, score_threshold: 0 }, 16],
    ];
    for (const [query, fields, count] of cases) {
      const { json } = await rest(`${url}/v1/models/blocks:detect${query}`, image);
      assert.equal(json.detections.length, count, query);
      const reply = await vision.call('Detect', { model: 'blocks', image, ...fields });
      assert.deepEqual(reply, json);
    }
  }));

test('bad thresholds are refused by name', () =>
  withDetectionServer(async ({ url, vision }) => {
    const image = await redBlock();
    const bad: [string, RegExp][] = [
      ['scoreThreshold=1.5', /score threshold must be a number from 0 to 1/],
      ['scoreThreshold=-0.1', /'scoreThreshold' must be one number/],
      ['scoreThreshold=', /'scoreThreshold'/],
      ['scoreThreshold=NaN', /'scoreThreshold'/],
      ['iouThreshold=2', /IoU threshold must be a number from 0 to 1/],
      ['iouThreshold=0.5&iouThreshold=0.6', /'iouThreshold' must be one number/],
      ['maxDetections=0', /number of detections must be an integer from 1 to 1000/],
      ['maxDetections=1001', /from 1 to 1000/],
      ['maxDetections=1.5', /from 1 to 1000/],
      ['render=yes', /'render' must be 1 or 0/],
    ];
    for (const [query, message] of bad) {
      const { status, json } = await rest(`${url}/v1/models/blocks:detect?${query}`, image);
      assert.equal(status, 400, query);
      assert.equal(json.code, 'INVALID_ARGUMENT');
      assert.match(json.error, message);
    }
    const fields = [
      { score_threshold: 1.5 },
      { score_threshold: Number.NaN },
      { iou_threshold: -1 },
      { max_detections: 1001 },
    ];
    for (const field of fields) {
      const call = vision.call('Detect', { model: 'blocks', image, ...field });
      await assert.rejects(call, { code: grpc.status.INVALID_ARGUMENT });
    }
  }));

test('render=1 answers with the picture and its boxes, upright, in its own format', () =>
  withDetectionServer(async ({ url }) => {
    const blocks: Block[] = [RED, { colour: '#00f', at: [2, 3] }, { colour: '#0f0', at: [3, 0] }];
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const picture = blockPicture(64, 64, blocks).withMetadata({ orientation: 6 });
      const image = await picture.toFormat(format).toBuffer();
      const drawn = await rest(`${url}/v1/models/blocks:detect?render=1`, image);
      assert.equal(drawn.status, 200);
      assert.equal(drawn.type, format === 'jpeg' ? 'image/jpeg' : 'image/png');
      const { data, info } = await sharp(drawn.bytes).raw().toBuffer({ resolveWithObject: true });
      assert.deepEqual([info.width, info.height], [64, 64]);
      const plain = await sharp(image).autoOrient().raw().toBuffer();
      let changed = 0;
      for (let i = 0; i < plain.length; i++) if (Math.abs(plain[i] - data[i]) > 64) changed += 1;
      assert.ok(changed > 100, `${format}: ${changed} bytes drawn`);
    }
    const plain = await rest(`${url}/v1/models/blocks:detect?render=0`, await redBlock());
    assert.equal(plain.type, 'application/json');
  }));

const form = (images: readonly Uint8Array[]) => {
  const data = new FormData();
  for (const image of images) data.append('image', new Blob([Uint8Array.from(image)]), 'photo');
  return data;
};

test('several pictures in a form are answered in their order', () =>
  withDetectionServer(async ({ url }) => {
    const images = await Promise.all(
      ['#f00', '#0f0', '#00f', '#000'].map((colour) =>
        blockPicture(64, 64, [{ ...RED, colour }])
          .png()
          .toBuffer(),
      ),
    );
    const detect = `${url}/v1/models/blocks:detect`;
    const { json } = await rest(detect, form(images));
    assert.deepEqual(Object.keys(json), ['results']);
    for (const [i, result] of json.results.entries()) {
      assert.deepEqual(result, (await rest(detect, images[i])).json);
    }
    assert.deepEqual((await rest(detect, form([images[0]]))).json, json.results[0]);

    const broken = await rest(detect, form([images[0], Buffer.from('junk'), images[1]]));
    assert.equal(broken.status, 400);
    assert.match(broken.json.error, /^image 2 of 3: the image is not a JPEG, PNG or WebP file/);
    const rendered = await rest(`${detect}?render=1`, form(images));
    assert.match(rendered.json.error, /'render' is for one image/);
    const tooMany = await rest(detect, form(Array(33).fill(images[0])));
    assert.equal(tooMany.status, 413);
  }));

test('a model of the other task is named as such, on both transports', () =>
  withDetectionServer(async ({ url, vision }) => {
    const image = await redBlock();
    const cases = [
      ['colours', 'detect', 'Detect', "model 'colours' does classification, not detection"],
      ['blocks', 'classify', 'Classify', "model 'blocks' does detection, not classification"],
    ];
    for (const [model, verb, method, message] of cases) {
      const { status, json } = await rest(`${url}/v1/models/${model}:${verb}`, image);
      assert.equal(status, 400);
      assert.deepEqual(json, { error: message, code: 'INVALID_ARGUMENT' });
      await assert.rejects(vision.call(method, { model, image }), {
        code: grpc.status.INVALID_ARGUMENT,
        details: message,
      });
    }
  }));

test('what is no picture, and a model that is not there, are refused', () =>
  withDetectionServer(async ({ url, vision, metrics }) => {
    const image = await redBlock();
    const detect = `${url}/v1/models/blocks:detect`;
    for (const bad of [Buffer.alloc(0), Buffer.from('junk'), image.subarray(0, 60)]) {
      for (const query of ['', '?render=1']) {
        assert.equal((await rest(`${detect}${query}`, bad)).json.code, 'INVALID_ARGUMENT');
      }
      await assert.rejects(vision.call('Detect', { model: 'blocks', image: bad }), {
        code: grpc.status.INVALID_ARGUMENT,
      });
    }
    assert.equal((await rest(`${url}/v1/models/none:detect`, image)).status, 404);
    assert.equal((await rest(detect)).status, 405);
    assert.equal((await rest(detect, image)).status, 200);
    const text = await metrics();
    assert.match(text, /lcq_requests_total\{.*operation="detect",code="INVALID_ARGUMENT"\} 6/);
    assert.match(text, /lcq_requests_total\{.*operation="detect",code="OK"\} 1/);
  }));
