import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lcqLayers } from '../../src/runtime/lcq-layers.js';

const facts = {
  weightBits: 3,
  weightShape: [4, 1, 1, 2],
  inputLevels: [0, 1, 2, 3],
  weightLevels: [-3, -2, -1, 0, 1, 2, 3],
};
const conv = {
  node: 'conv',
  op: 'LcqConv',
  kernel: 'fast',
  layer: { input: 'codes', weights: 'conv.weight', ...facts },
};
const pool = { node: 'pool', op: 'LcqMaxPool', kernel: 'plain' };
const quantizer = { bits: 2, alpha: 1.5, theta: [0, 0.5] };

test('layers are the nodes with weights, with the quantizers that made their codes', () => {
  const rows = [
    { name: 'conv.weight', ...quantizer, bits: 3 },
    { name: 'codes', ...quantizer },
    { name: 'of nobody', ...quantizer },
  ];
  assert.deepEqual(lcqLayers([pool, conv], JSON.stringify(rows)), [
    {
      name: 'conv',
      op: 'LcqConv',
      kernel: 'fast',
      ...facts,
      inputQuantizer: quantizer,
      weightQuantizer: { ...quantizer, bits: 3 },
    },
  ]);
});

const MALFORMED: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['no JSON', '[{'],
  ['no list', '{"name": "codes"}'],
  ['no objects', '[null, 1, "codes", []]'],
  ['no clip', JSON.stringify([{ ...quantizer, name: 'codes', alpha: 'wide' }])],
  ['no width', JSON.stringify([{ ...quantizer, name: 'codes', bits: 64 }])],
  ['no compander', JSON.stringify([{ ...quantizer, name: 'codes', theta: [] }])],
  ['a compander of text', JSON.stringify([{ ...quantizer, name: 'codes', theta: ['a', {}] }])],
  ['a slope that vanishes', JSON.stringify([{ ...quantizer, name: 'codes', theta: [0, 9999] }])],
];
for (const [title, json] of MALFORMED) {
  test(`a file may say ${title} of its quantizers`, () => {
    assert.deepEqual(lcqLayers([conv], json), [
      { name: 'conv', op: 'LcqConv', kernel: 'fast', ...facts },
    ]);
  });
}
