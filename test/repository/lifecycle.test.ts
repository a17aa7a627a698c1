import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelVersion } from '../../src/repository/lifecycle.js';

test('a version lives through loading, ready, unloading, unavailable, and may be loaded again', () => {
  const version = new ModelVersion<string>('tiny', '1');
  const states = [version.state];
  const note = () => states.push(version.state);
  version.loading();
  note();
  assert.equal(version.publish('first', 'a'), undefined);
  note();
  assert.deepEqual([version.servable, version.digest], ['first', 'a']);
  assert.equal(version.unloading(), 'first');
  note();
  assert.deepEqual([version.servable, version.digest], [undefined, undefined]);
  version.unloaded();
  note();
  assert.equal(version.reason, 'unloaded');
  version.loading();
  note();
  assert.equal(version.reason, '');
  assert.deepEqual(states, ['UNKNOWN', 'LOADING', 'READY', 'UNLOADING', 'UNAVAILABLE', 'LOADING']);
});

test('a first load that fails leaves it UNAVAILABLE with the reason', () => {
  const version = new ModelVersion<string>('tiny', '1');
  version.loading();
  version.failed('no such op');
  assert.deepEqual([version.state, version.reason], ['UNAVAILABLE', 'no such op']);
});

test('it is READY throughout a replacement, and keeps what answered when that fails', () => {
  const version = new ModelVersion<string>('tiny', '1');
  version.loading();
  version.publish('first', 'a');
  version.loading();
  assert.deepEqual([version.state, version.servable], ['READY', 'first']);
  version.failed('no such op');
  assert.deepEqual(
    [version.state, version.servable, version.digest, version.reason],
    ['READY', 'first', 'a', 'no such op'],
  );
  version.loading();
  assert.equal(version.publish('second', 'b'), 'first');
  assert.deepEqual(
    [version.state, version.servable, version.digest, version.reason],
    ['READY', 'second', 'b', ''],
  );
});

test('no state is skipped', () => {
  const version = new ModelVersion<string>('tiny', '1');
  assert.throws(() => version.publish('early', 'a'), /from UNKNOWN to READY/);
  assert.throws(() => version.unloading(), /from UNKNOWN to UNLOADING/);
  assert.throws(() => version.unloaded(), /from UNKNOWN to UNAVAILABLE/);
  assert.equal(version.servable, undefined);
});
