import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LcqError } from '../../src/errors.js';
import { ModelRegistry } from '../../src/repository/registry.js';

const refused = (code: string, message: string) => (error: unknown) => {
  assert.ok(error instanceof LcqError);
  assert.deepEqual([error.code, error.message], [code, message]);
  return true;
};

function registryOf(...versions: string[]): ModelRegistry<string> {
  const registry = new ModelRegistry<string>();
  for (const version of versions) {
    registry.announce('tiny', version);
    registry.publish('tiny', version, `tiny ${version}`);
  }
  return registry;
}

test('a version is found by its number; without one the highest answers', () => {
  const registry = registryOf('9', '10', '2');
  assert.equal(registry.get('tiny', '9'), 'tiny 9');
  assert.equal(registry.get('tiny'), 'tiny 10');
  assert.equal(registry.get('tiny', ''), 'tiny 10');
  assert.deepEqual(registry.versions('tiny'), ['2', '9', '10']);
  assert.deepEqual(registry.all().length, 3);
});

test('unknown models and versions are NOT_FOUND', () => {
  const registry = registryOf('1');
  const unknown = (model: string, version: string, message: string) =>
    assert.throws(() => registry.get(model, version), refused('NOT_FOUND', message));
  unknown('big', '', "Request for unknown model: 'big' is not found");
  unknown('tiny', '2', "Request for unknown model: 'tiny' version 2 is not found");
  unknown('tiny', '01', "Request for unknown model: 'tiny' version is not a number");
  unknown('../tiny', '', 'Request for unknown model: the name is not a model name');
  unknown('constructor', '', "Request for unknown model: 'constructor' is not found");
  assert.equal(registry.find('big'), undefined);
  assert.equal(registry.find('tiny', '2'), undefined);
});

test('a version that is announced and not yet published is UNAVAILABLE', () => {
  const registry = new ModelRegistry<string>();
  registry.announce('tiny', '4');
  const message = "Request for model: 'tiny' version 4 is not at ready state";
  assert.throws(() => registry.get('tiny'), refused('UNAVAILABLE', message));
  assert.deepEqual(registry.all(), []);
  assert.equal(registry.find('tiny')?.version, '4');
});
