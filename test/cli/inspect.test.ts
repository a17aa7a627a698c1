import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Model } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { randomIntegers } from '../lcq/random-layers.js';
import { tinyNetwork } from '../onnx/tiny-network.js';

const cli = fileURLToPath(new URL('../../src/cli/lcq.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lcq-inspect-'));
after(() => rmSync(folder, { recursive: true }));

function inspect(file: string, ...options: string[]) {
  const path = join(folder, file);
  const env = { ...process.env, LCQ_DEBUG: undefined };
  return spawnSync(process.execPath, [cli, 'inspect', path, ...options], { encoding: 'utf8', env });
}

function write(file: string, model: Model): string {
  writeFileSync(join(folder, file), encodeModel(model));
  return file;
}

const network = tinyNetwork(randomIntegers(1));

describe('lcq inspect', () => {
  test('prints inputs and outputs, a row for each layer, and totals', () => {
    const { stdout, stderr, status } = inspect(write('tiny.onnx', network));
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.match(stdout, /^input +image: uint8 \[N, 8, 6, 3\]$/m);
    assert.match(stdout, /^output +logits: float32 \[N, 5\]$/m);
    assert.match(
      stdout,
      /^LcqConv_c1 +LcqConv +8x3x3x4 +2 +288 +72 +2\.000 +3,456 +0 12 30 42 +-1 0 1$/m,
    );
    assert.match(stdout, /^LcqGemm_logits .* 0\.\.255 \(256\) +-127\.\.127 \(255\)$/m);
    assert.match(
      stdout,
      /^6 layers, 6 of them LCQ; 1,652 weights in 612 bytes, 2\.964 bits a weight/m,
    );
  });

  test('prints the same as JSON', () => {
    const { stdout } = inspect(write('tiny.onnx', network), '--json');
    const { layers, totals } = JSON.parse(stdout);
    assert.equal(layers.length, 6);
    assert.deepEqual(layers[1].weightLevels, [-1, 0, 1]);
    assert.equal(totals.bytes, 612);
  });

  test('lets no name in the file steer the terminal', () => {
    const hostile = { ...network, producer: 'x\u001b[31m\u009b1m\n' };
    const { stdout } = inspect(write('hostile.onnx', hostile));
    assert.match(stdout, /^.*by x\\u001b\[31m\\u009b1m\\u000a$/m);
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u);
  });

  test('says in one coded line that a file is missing, damaged or breaks the contract', () => {
    writeFileSync(join(folder, 'text.onnx'), 'not a model');
    const broken = tinyNetwork(randomIntegers(1));
    broken.graph.initializers.delete('c1.w');
    write('broken.onnx', broken);
    for (const [file, line] of [
      ['missing.onnx', /^lcq: NOT_FOUND: .*missing\.onnx'\n$/],
      ['text.onnx', /^lcq: INVALID_ARGUMENT: not an ONNX model.*\n$/],
      ['broken.onnx', /^lcq: INVALID_ARGUMENT: .*'LcqConv_c1'.*'c1\.w'.*\n$/],
      ['.', /^lcq: INVALID_ARGUMENT: cannot read .*\n$/],
    ] as const) {
      const { stdout, stderr, status } = inspect(file);
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(stderr, line);
    }
  });
});
