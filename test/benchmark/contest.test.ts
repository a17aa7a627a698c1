import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contest, FORMS } from '../../src/benchmark/contest.js';
import { lcqModel } from '../../src/benchmark/lcq-model.js';
import { macsOf, NETWORKS, type Network } from '../../src/benchmark/network.js';
import { race } from '../../src/benchmark/race.js';
import { LcqError } from '../../src/errors.js';
import { verifyModel } from '../../src/onnx/verifier.js';
import type { ModelSession } from '../../src/runtime/session.js';

/** A stem, a residual block and a linear layer: every kind of layer, small. */
const small: Network = {
  name: 'small',
  layers: [
    convolution('stem', 'image', [3, 8], [7, 8], { ceiling: Infinity }),
    { kind: 'max-pool', name: 'pool', input: 'stem' },
    convolution('linear', 'pool', [8, 8], [1, 1], {}),
    convolution('depthwise', 'linear', [8, 8], [3, 1], { group: 8, ceiling: 6 }),
    convolution('sum', 'depthwise', [8, 8], [3, 1], { residual: 'pool', ceiling: Infinity }),
    {
      kind: 'classifier',
      name: 'classifier',
      input: 'sum',
      inputChannels: 8,
      channels: 1000,
      pixels: 196,
    },
  ],
};

function convolution(
  name: string,
  input: string,
  [inputChannels, channels]: readonly [number, number],
  [kernel, stride]: readonly [number, number],
  options: { readonly group?: number; readonly residual?: string; readonly ceiling?: number },
): Network['layers'][number] {
  const sizes = { inputChannels, channels, kernel, stride, group: 1 };
  return { kind: 'convolution', name, input, ...sizes, ...options };
}

describe('the networks of the benchmark', () => {
  // Products of one image as the papers count them: He et al. 2015, Sandler et al. 2018.
  const published = { resnet18: 1.8e9, resnet50: 4.1e9, mobilenetv2: 0.3e9 };
  for (const [name, macs] of Object.entries(published)) {
    test(`${name} has its published size`, () => {
      assert.ok(Math.abs(macsOf(NETWORKS[name]()) / macs - 1) < 0.03);
    });

    test(`${name} keeps to the operator contract`, () => {
      verifyModel(lcqModel(NETWORKS[name](), 2));
    });
  }
});

test('all forms of a network run, the int8 one by integer kernels', async () => {
  const options = { threads: [1], batches: [1, 2], forms: FORMS, rounds: 1, kernels: '' };
  const { rows, memory } = await contest(small, options);
  assert.deepEqual(
    rows.map(({ batch, form }) => [batch, form]),
    [1, 2].flatMap((batch) => FORMS.map((form) => [batch, form])),
  );
  for (const { form, median, least, overFp32 } of rows) {
    assert.ok(least > 0 && least <= median);
    if (form === 'fp32') assert.equal(overFp32, 1);
  }
  assert.equal(rows[2].kernels.max_pool_s16_scalar, 1);
  assert.deepEqual(
    memory.map(({ form }) => form),
    FORMS,
  );
});

test('entrants of a race take turns, and warm-up rounds do not count', async () => {
  const order: string[] = [];
  const entrant = (name: string) => {
    const session: ModelSession = {
      inputs: [],
      outputs: [],
      run: async () => {
        order.push(name);
        return {};
      },
      dispose: async () => {},
    };
    return { session, feeds: {} };
  };
  const results = await race([entrant('a'), entrant('b')], 2);
  assert.equal(order.join(''), 'abababab');
  assert.equal(results.length, 2);
});

test('an entrant that fails ends the race', async () => {
  const run = async () => {
    throw new LcqError('INTERNAL', 'failed');
  };
  const session: ModelSession = { inputs: [], outputs: [], run, dispose: async () => {} };
  await assert.rejects(race([{ session, feeds: {} }], 1), /failed/);
});
