/**
 * Holds deploy/kserve to the models of KServe's Python SDK, in an environment made in build/: part of
 * `npm run test:deploy`. Where there is no Python or its registry is not reached, nothing is checked, and that is said.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { root } from './go-tools.js';

/** Without what the SDK's server would need. */
const PACKAGES = [
  ['--no-deps', 'kserve==0.21.0'],
  ['kubernetes==37.0.2', 'PyYAML==6.0.4', 'six==1.17.0'],
];
const environment = join(root, 'build', 'python-kserve');
const python = join(environment, 'bin', 'python');
const manifests = ['cluster-serving-runtime.yaml', 'inference-service.yaml'].map((name) =>
  join(root, 'deploy', 'kserve', name),
);

function install(): boolean {
  const succeeds = (command: string, args: readonly string[]) =>
    spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  const pip = ['-m', 'pip', 'install', '--quiet', '--retries', '0'];
  if (!existsSync(python) && !succeeds('python3', ['-m', 'venv', environment])) return false;
  return PACKAGES.every((packages) => succeeds(python, [...pip, ...packages]));
}

function check(paths: readonly string[]) {
  const script = join(root, 'test', 'deploy', 'kserve_check.py');
  const { status, stdout, stderr } = spawnSync(python, [script, ...paths], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

const skip = install() ? false : 'no Python, or no packages: nothing was checked';

describe('the manifests for KServe', { skip }, () => {
  test('fit the API', (context) => {
    const { status, output } = check(manifests);
    context.diagnostic(output.trim());
    assert.equal(status, 0, output);
  });

  test('a mistake that is planted is found', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lcq-kserve-'));
    const texts = manifests.map((path) => readFileSync(path, 'utf8')).join('---\n');
    const planted = join(folder, 'planted.yaml');
    for (const [search, replacement, expected] of [
      ['supportedModelFormats', 'supportedFormats', /spec.supportedFormats: V1alpha1ServingR/],
      ['httpGet', 'http', /startupProbe.http: V1Probe has no such field/],
      ['minReplicas: 2', 'minReplicas: two', /minReplicas: 'two' is no int/],
      ['storageUri: s3', 'storageURL: s3', /model.storageURL: V1beta1ModelSpec/],
      ['kind: InferenceService', 'kind: InferService', /InferService is not known/],
    ] as const) {
      assert.ok(texts.includes(search));
      writeFileSync(planted, texts.replace(search, replacement));
      const { status, output } = check([planted]);
      assert.equal(status, 1, `${search} -> ${replacement}: not found`);
      assert.match(output, expected);
    }
    rmSync(folder, { recursive: true });
  });
});
