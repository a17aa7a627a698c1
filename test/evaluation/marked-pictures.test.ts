import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  marksObjects,
  readMarkedPictures,
  readSplit,
} from '../../src/evaluation/marked-pictures.js';

const XML =
  '<annotation><object><name>cell</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>6</ymax></bndbox></object></annotation>';
const COCO = {
  images: [{ id: 7, file_name: 'a.png' }],
  categories: [{ id: 3, name: 'cell' }],
  annotations: [{ id: 1, image_id: 7, category_id: 3, bbox: [1, 2, 3, 4] }],
};
const BOX = { x: 1, y: 2, width: 3, height: 4 };

describe('marked pictures, by the form of their folder', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lcq-marked-'));
    const files = {
      'voc/ImageSets/Main/val.txt': 'a\n',
      'voc/Annotations/a.xml': XML,
      'coco/train/annotations.json': JSON.stringify(COCO),
      'classes/train/cat/a.jpg': '',
    };
    for (const [path, content] of Object.entries(files)) {
      await mkdir(join(folder, path, '..'), { recursive: true });
      await writeFile(join(folder, path), content);
    }
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('both forms give the same objects', async () => {
    const voc = join(folder, 'voc');
    const coco = join(folder, 'coco');
    for (const [dataset, path] of [
      [await readSplit(voc, 'val'), join(voc, 'JPEGImages', 'a.jpg')],
      [await readMarkedPictures(voc, 'val'), join(voc, 'JPEGImages', 'a.jpg')],
      [await readSplit(coco, 'train'), join(coco, 'train', 'images', 'a.png')],
      [
        await readMarkedPictures(join(coco, 'train'), 'any'),
        join(coco, 'train', 'images', 'a.png'),
      ],
    ] as const) {
      const [picture, ...others] = dataset.pictures;
      assert.equal(others.length, 0);
      assert.equal(picture.path, path);
      const [{ category, box }] = picture.objects;
      assert.equal(dataset.categories.get(category), 'cell');
      assert.deepEqual(box, BOX);
    }
  });

  test('class folders mark no objects', async () => {
    const marks = ['voc', 'coco', 'classes', 'none'].map((name) =>
      marksObjects(join(folder, name)),
    );
    assert.deepEqual(await Promise.all(marks), [true, true, false, false]);
  });
});
