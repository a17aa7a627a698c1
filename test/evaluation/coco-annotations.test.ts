import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCocoDataset } from '../../src/evaluation/coco-annotations.js';

const ANNOTATIONS = {
  info: { year: 2026 },
  images: [
    { id: 7, file_name: 'a.jpg', width: 64, height: 48 },
    { id: 9, file_name: 'b.jpg', width: 64, height: 48 },
  ],
  categories: [
    { id: 1, name: 'cat' },
    { id: 90, name: 'dog' },
  ],
  annotations: [
    { id: 1, image_id: 9, category_id: 90, bbox: [1, 2, 3.5, 4], area: 14, iscrowd: 0 },
    { id: 2, image_id: 9, category_id: 1, bbox: [0, 0, 9, 9], iscrowd: 1 },
  ],
};

async function withAnnotations<T>(content: string, use: (folder: string) => Promise<T>) {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-coco-'));
  try {
    await writeFile(join(folder, 'annotations.json'), content);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('pictures get their objects, whatever the ids are', () =>
  withAnnotations(JSON.stringify(ANNOTATIONS), async (folder) => {
    const { pictures, categories } = await readCocoDataset(folder);
    assert.deepEqual(
      [...categories],
      [
        [1, 'cat'],
        [90, 'dog'],
      ],
    );
    assert.deepEqual(pictures, [
      { path: join(folder, 'images', 'a.jpg'), objects: [] },
      {
        path: join(folder, 'images', 'b.jpg'),
        objects: [
          { category: 90, box: { x: 1, y: 2, width: 3.5, height: 4 }, isCrowd: false },
          { category: 1, box: { x: 0, y: 0, width: 9, height: 9 }, isCrowd: true },
        ],
      },
    ]);
  }));

test('what is malformed is named', async () => {
  const [image] = ANNOTATIONS.images;
  const [annotation] = ANNOTATIONS.annotations;
  const withImage = (file_name: unknown) => ({ images: [{ ...image, file_name }] });
  const withAnnotation = (fields: object) => ({ annotations: [{ ...annotation, ...fields }] });
  const cases: [object, RegExp][] = [
    [{ images: {} }, /annotations\.json: 'images' is not a list/],
    [{ categories: [null] }, /categories\[0\]: is not an object/],
    [{ categories: [{ id: 'x', name: 'cat' }] }, /categories\[0\]: 'id' is not an integer/],
    [{ categories: [{ id: 1 }] }, /categories\[0\]: 'name' is not a text/],
    [withImage('../../secret.jpg'), /images\[0\]: 'file_name' is not a plain file name/],
    [withImage('..'), /'file_name' is not a plain file name/],
    [withAnnotation({ image_id: 8 }), /annotations\[0\]: there is no image/],
    [withAnnotation({ category_id: 2 }), /annotations\[0\]: there is no category 2/],
    [withAnnotation({ bbox: [1, 2, 3] }), /annotations\[0\]: 'bbox' is not/],
    [withAnnotation({ bbox: [1, 2, -3, 4] }), /'bbox' is not/],
    [withAnnotation({ bbox: [1, 2, 3, null] }), /'bbox' is not/],
  ];
  for (const [fields, message] of cases) {
    const refused =
      fields && 'images' in fields && Array.isArray(fields.images)
        ? { ...ANNOTATIONS, ...fields, annotations: [] }
        : { ...ANNOTATIONS, ...fields };
    await withAnnotations(JSON.stringify(refused), (folder) =>
      assert.rejects(readCocoDataset(folder), { code: 'INVALID_ARGUMENT', message }),
    );
  }
  await withAnnotations('{"images": [', (folder) =>
    assert.rejects(readCocoDataset(folder), { code: 'INVALID_ARGUMENT', message: /is not JSON/ }),
  );
  await assert.rejects(readCocoDataset(join(tmpdir(), 'lcq-no-such-folder')), {
    code: 'NOT_FOUND',
  });
});
