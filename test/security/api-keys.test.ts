import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LcqError } from '../../src/errors.js';
import { ApiKeys } from '../../src/security/api-keys.js';

const SECRET = 'a secret of some length';
const sha256 = createHash('sha256').update('another secret').digest('hex');
const file = (...keys: object[]) => JSON.stringify({ keys });

test('keys are found by what they are, given plainly or as a digest', () => {
  const keys = new ApiKeys(
    file({ name: 'camera', key: SECRET }, { name: 'ops', sha256, role: 'admin' }),
  );
  assert.deepEqual(keys.find(SECRET), { name: 'camera', role: 'inference' });
  assert.deepEqual(keys.find('another secret'), { name: 'ops', role: 'admin' });
  for (const other of ['', `${SECRET} `, SECRET.slice(1), sha256, 'camera']) {
    assert.equal(keys.find(other), undefined);
  }
});

test('a file that is wrong is refused by its field, and never quoted', () => {
  for (const [text, message] of [
    [SECRET, /not JSON/],
    ['[]', /file of API keys/],
    [file(), /keys/],
    [file({ name: 'a', key: 'short' }), /keys\.0/],
    [file({ name: 'a b', key: SECRET }), /keys\.0/],
    [file({ name: 'a', sha256: SECRET }), /keys\.0/],
    [file({ name: 'a', key: SECRET, role: 'root' }), /keys\.0/],
    [file({ name: 'a' }), /keys\.0/],
  ] as const) {
    assert.throws(
      () => new ApiKeys(text),
      (error: LcqError) => {
        assert.ok(error instanceof LcqError && error.code === 'INVALID_ARGUMENT');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret|short/);
        return true;
      },
    );
  }
});
