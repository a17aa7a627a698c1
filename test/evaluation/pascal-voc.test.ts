import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readPascalVoc } from '../../src/evaluation/pascal-voc.js';

const object = (name: string, [xmin, ymin, xmax, ymax]: readonly (number | string)[]) => `
  <object>
    <name>${name}</name>
    <difficult>0</difficult>
    <bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin>
      <xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox>
  </object>`;
const annotation = (...objects: string[]) =>
  `<?xml version="1.0"?>\n<annotation verified="yes">\n  <folder>any</folder>${objects.join('')}\n</annotation>\n`;

describe('reading Pascal VOC', () => {
  let folder: string;
  const write = async (split: string, annotations: Record<string, string>) => {
    for (const [name, xml] of Object.entries(annotations)) {
      await writeFile(join(folder, 'Annotations', `${name}.xml`), xml);
    }
    const list = Object.keys(annotations).join('\r\n');
    await writeFile(join(folder, 'ImageSets', 'Main', `${split}.txt`), `${list}\n`);
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lcq-voc-'));
    await mkdir(join(folder, 'Annotations'));
    await mkdir(join(folder, 'ImageSets', 'Main'), { recursive: true });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('pictures in the order of the split, classes in that of their names', async () => {
    const commented = `<!-- ${object('ghost', [0, 0, 1, 1])} -->`;
    await write('train', {
      b: annotation(
        object('dog', [1, 2, 11, 22]),
        commented,
        object('cat &amp; mouse', [0, 0, 5.5, 4]),
      ),
      a: annotation(),
    });
    const { pictures, categories } = await readPascalVoc(folder, 'train');
    assert.deepEqual(
      [...categories],
      [
        [0, 'cat & mouse'],
        [1, 'dog'],
      ],
    );
    assert.deepEqual(
      pictures.map(({ path }) => path),
      ['b', 'a'].map((name) => join(folder, 'JPEGImages', `${name}.jpg`)),
    );
    assert.deepEqual(pictures[0].objects, [
      { category: 1, box: { x: 1, y: 2, width: 10, height: 20 }, isCrowd: false },
      { category: 0, box: { x: 0, y: 0, width: 5.5, height: 4 }, isCrowd: false },
    ]);
    assert.deepEqual(pictures[1].objects, []);
  });

  for (const [what, xml, message] of [
    [
      'no number',
      annotation(object('dog', [1, 'two', 3, 4])),
      /object\[0\]: bndbox: ymin 'two' is not a number/,
    ],
    [
      'an endless number',
      annotation(object('dog', [1, 2, '1e999', 4])),
      /xmax '1e999' is not a number/,
    ],
    [
      'a box inside out',
      annotation(object('dog', [1, 2, 0, 4])),
      /bndbox xmin 1, ymin 2, xmax 0, ymax 4 are no box/,
    ],
    ['no name', annotation(object('', [1, 2, 3, 4])), /object\[0\]: name is not a text/],
    ['no box', annotation('<object><name>dog</name></object>'), /object\[0\] has no <bndbox>/],
    [
      'an object without an end',
      '<annotation><object><name>dog</annotation>',
      /object\[0\] has no end/,
    ],
    ['a comment without an end', '<annotation><!-- ', /a comment has no end/],
    ['another format', '{"annotations": []}', /has no <annotation>/],
    ['nothing', '', /has no <annotation>/],
  ] as const) {
    test(`${what}: refused, naming file and field`, async () => {
      await write('bad', { good: annotation(), wrong: xml });
      await assert.rejects(readPascalVoc(folder, 'bad'), (error: Error & { code: string }) => {
        assert.equal(error.code, 'INVALID_ARGUMENT');
        assert.match(error.message, message);
        assert.ok(
          error.message.startsWith(join(folder, 'Annotations', 'wrong.xml')),
          error.message,
        );
        return true;
      });
    });
  }

  test('a split that is missing, empty, leaves the folder or names a missing file is refused', async () => {
    const lists = join(folder, 'ImageSets', 'Main');
    await writeFile(join(lists, 'empty.txt'), '\n');
    await writeFile(join(lists, 'outside.txt'), '../../etc/passwd\n');
    await writeFile(join(lists, 'missing.txt'), 'nowhere\n');
    for (const [split, code, message] of [
      ['none', 'NOT_FOUND', /none.txt cannot be read/],
      ['empty', 'INVALID_ARGUMENT', /empty.txt names no picture/],
      ['outside', 'INVALID_ARGUMENT', /'..\/..\/etc\/passwd' is not a plain file name/],
      ['missing', 'NOT_FOUND', /nowhere.xml cannot be read/],
    ] as const) {
      await assert.rejects(readPascalVoc(folder, split), { code, message });
    }
  });
});
