import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChannelErrors } from '../../src/report/channel-errors.js';

function errorsOf(channels: readonly (readonly [x: number, q: number][])[], isByChannel: boolean) {
  const errors = new ChannelErrors(channels.length, isByChannel);
  for (const [channel, pairs] of channels.entries()) {
    for (const [x, q] of pairs) errors.add(channel, x, q);
  }
  return errors;
}

describe('channel errors', () => {
  test('the SQNR is that of the best scale, in dB', () => {
    // The best scale of q = 1, 2 for x = 1, 3 is (1 + 6) / (1 + 4); what is left of 10 is 0.2.
    const errors = errorsOf(
      [
        [
          [1, 1],
          [3, 2],
        ],
      ],
      false,
    );
    assert.ok(Math.abs(errors.scales()[0] - 1.4) < 1e-12);
    assert.ok(Math.abs((errors.sqnr() as number) - 10 * Math.log10(50)) < 1e-9);
  });

  test('channels of unlike scale are exact only where each has its own', () => {
    const channels = [[[10, 1] as [number, number]], [[0.5, 1] as [number, number]]];
    assert.equal(errorsOf(channels, true).sqnr(), Number.POSITIVE_INFINITY);
    assert.ok((errorsOf(channels, false).sqnr() as number) < 5);
  });

  test('a channel that was quantized to zero is all noise, and a value of zeros has no ratio', () => {
    assert.equal(errorsOf([[[2, 0]]], true).sqnr(), 0);
    assert.deepEqual([...errorsOf([[[2, 0]]], true).scales()], [0]);
    assert.equal(errorsOf([[[0, 0]]], false).sqnr(), undefined);
  });
});
