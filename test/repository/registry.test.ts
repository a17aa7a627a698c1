import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LcqError } from '../../src/errors.js';
import { ModelRegistry } from '../../src/repository/registry.js';

const refused = (code: string, message: string) => (error: unknown) => {
  assert.ok(error instanceof LcqError);
  assert.deepEqual([error.code, error.message], [code, message]);
  return true;
};

function publish(registry: ModelRegistry<string>, version: string): void {
  const entry = registry.announce('tiny', version);
  entry.loading();
  entry.publish(`tiny ${version}`, 'digest');
}

function registryOf(...versions: string[]): ModelRegistry<string> {
  const registry = new ModelRegistry<string>();
  for (const version of versions) publish(registry, version);
  return registry;
}

test('a version is found by its number; without one the highest answers', () => {
  const registry = registryOf('9', '10', '2');
  assert.equal(registry.get('tiny', '9'), 'tiny 9');
  assert.equal(registry.get('tiny'), 'tiny 10');
  assert.equal(registry.get('tiny', ''), 'tiny 10');
  const versions = registry.versions('tiny').map(({ version }) => version);
  assert.deepEqual(versions, ['2', '9', '10']);
  assert.deepEqual(registry.all(), registry.versions('tiny'));
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
  assert.equal(registry.find('tiny')?.version, '4');
  assert.equal(registry.find('tiny')?.servable, undefined);
});

test('while a higher version loads or after it failed, the highest that is ready answers', () => {
  const registry = registryOf('1');
  const second = registry.announce('tiny', '2');
  assert.equal(registry.get('tiny'), 'tiny 1');
  second.loading();
  assert.equal(registry.get('tiny'), 'tiny 1');
  second.failed('it is broken');
  assert.equal(registry.get('tiny'), 'tiny 1');
  assert.throws(() => registry.get('tiny', '2'), { code: 'UNAVAILABLE' });
  registry.versions('tiny')[0].unloading();
  assert.throws(() => registry.get('tiny'), { code: 'UNAVAILABLE' });
  registry.versions('tiny')[0].unloaded();
  const none = "Request for unknown model: 'tiny' has no available versions";
  assert.throws(() => registry.get('tiny'), refused('NOT_FOUND', none));
  assert.throws(() => registry.get('tiny', '1'), { code: 'UNAVAILABLE' });
});
