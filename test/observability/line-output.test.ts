import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LineOutput } from '../../src/observability/line-output.js';
import { rest, solidImage } from '../end-to-end/server-under-test.js';
import { withColourRepository } from '../serving/colour-model.js';

const SERVER = fileURLToPath(new URL('../end-to-end/colour-server.js', import.meta.url));

test('lines that find no room are dropped and counted; those after them are whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-log-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const read = () => {
    const buffer = Buffer.alloc(1 << 20);
    return buffer.toString('utf8', 0, readSync(pipe, buffer));
  };
  try {
    const output = new LineOutput(pipe);
    const line = `${'x'.repeat(9_999)}\n`;
    for (let i = 0; i < 200; i++) output.write(line);
    const written = read().split('\n');
    const whole = written.filter((text) => text.length === 9_999).length;
    assert.ok(whole > 0 && whole < 200, `${whole} lines`);
    assert.ok(written.length <= whole + 1, 'more than the last line is torn');
    output.write('after\n');
    output.write('later\n');
    const [torn, notice, ...after] = read().split('\n');
    assert.equal(torn, '');
    assert.equal(JSON.parse(notice).msg, `${200 - whole} log lines could not be written`);
    assert.deepEqual(after, ['after', 'later', '']);
  } finally {
    closeSync(pipe);
    await rm(folder, { recursive: true });
  }
});

test('a server whose log is on a full disk answers, and stops in order', () =>
  withColourRepository(async (root) => {
    // Every write to it fails with ENOSPC.
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [SERVER, root], { stdio: ['ignore', 'pipe', full] });
    closeSync(full);
    const exited = once(child, 'exit');
    try {
      const [line] = await once(createInterface({ input: child.stdout as Readable }), 'line');
      const [url] = /http:[^,]+/.exec(line) ?? assert.fail(line);
      const image = await solidImage([0, 255, 0]);
      for (let i = 0; i < 3; i++) {
        // Each logs a line.
        child.kill('SIGUSR2');
        const { json } = await rest(`${url}/v1/models/colours:classify`, image);
        assert.equal(json.predictions[0].label, 'green');
      }
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  }));
