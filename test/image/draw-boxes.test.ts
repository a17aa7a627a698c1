import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { drawBoxes } from '../../src/image/draw-boxes.js';

const grey = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#808080' } });

const box = (x: number, y: number, width: number, height: number) => ({ x, y, width, height });

test('the outline is drawn where the box is, and nothing elsewhere', async () => {
  const boxes = [{ box: box(20, 40, 50, 30), caption: '', colour: 0 }];
  const { type, bytes } = await drawBoxes(await grey(100, 100).png().toBuffer(), boxes);
  assert.equal(type, 'image/png');
  const pixels = await sharp(bytes).removeAlpha().raw().toBuffer();
  const isGrey = (x: number, y: number) =>
    pixels.subarray((y * 100 + x) * 3, (y * 100 + x + 1) * 3).every((value) => value === 128);
  for (const [x, y] of [
    [20, 55],
    [70, 55],
    [45, 40],
    [45, 70],
  ]) {
    assert.ok(!isGrey(x, y), `outline at ${x}, ${y}`);
  }
  for (const [x, y] of [
    [45, 55],
    [10, 55],
    [80, 55],
    [45, 80],
    [90, 10],
  ]) {
    assert.ok(isGrey(x, y), `nothing at ${x}, ${y}`);
  }
});

test('captions are text, whatever they look like', async () => {
  const image = await grey(200, 100).png().toBuffer();
  const hostile = [
    '</text></svg><script>alert(1)</script>',
    '<image href="file:///etc/hostname"/>',
    '&unknown; &#0; "quoted" \'too\'',
    'bell \u0007, nul \0, lone \ud800, end \uffff',
    '面 🙂',
  ];
  for (const caption of hostile) {
    const boxes = [{ box: box(5, 30, 50, 50), caption, colour: 3 }];
    const { bytes } = await drawBoxes(image, boxes);
    const { width, height } = await sharp(bytes).metadata();
    assert.deepEqual([width, height], [200, 100]);
  }
});

test('a large picture is drawn smaller, its boxes with it', async () => {
  const boxes = [{ box: box(0, 0, 4096, 1024), caption: 'all of it', colour: 1 }];
  const jpeg = await grey(4096, 1024).jpeg().toBuffer();
  const { type, bytes } = await drawBoxes(jpeg, boxes);
  assert.equal(type, 'image/jpeg');
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height], [2048, 512]);
  const lastColumn = data.subarray((300 * 2048 + 2047) * 3, (300 * 2048 + 2048) * 3);
  assert.ok(Math.max(...lastColumn) - Math.min(...lastColumn) > 50);
});

test('a thin picture and no boxes are fine; a corrupt picture is refused', async () => {
  const { bytes } = await drawBoxes(await grey(6000, 1).png().toBuffer(), []);
  const { width, height } = await sharp(bytes).metadata();
  assert.deepEqual([width, height], [2048, 1]);
  const whole = await grey(64, 64).jpeg().toBuffer();
  await assert.rejects(drawBoxes(whole.subarray(0, whole.length / 2), []), {
    code: 'INVALID_ARGUMENT',
  });
});
