import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

/** In place of Python: answers, and tells when nobody has ended it. */
const STAND_IN = `#!${process.execPath}
require('node:http').createServer((_, response) => response.end()).listen(process.argv[4], '127.0.0.1');
setTimeout(() => { process.stderr.write('left over'); process.exit(); }, 10_000);
`;
const BENCH = `
import { litServe } from '${new URL('../../loadtest/peers/contender.js', import.meta.url)}';
await litServe('LitServe', process.argv[1], 'model.onnx', 1).start();
process.stdout.write('started');
setInterval(() => {}, 1000);
`;

test('an interrupted comparison leaves no LitServe behind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-peers-'));
  try {
    const python = join(folder, 'python.cjs');
    await writeFile(python, STAND_IN, { mode: 0o755 });
    const bench = spawn(process.execPath, ['--input-type=module', '-e', BENCH, python]);
    let errors = '';
    bench.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    // The stand-in holds standard error too: it is closed when both have ended.
    const closed = once(bench, 'close');
    await Promise.race([once(bench.stdout, 'data'), closed]);
    bench.kill('SIGTERM');
    await closed;
    assert.equal(errors, '');
  } finally {
    await rm(folder, { recursive: true });
  }
});
