import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { cgroupCpus, cpuLimit } from '../../src/config/cpu-limit.js';

/** The quota that a machine with these files gives. */
function cpusOf(files: Readonly<Record<string, string>>): number {
  const root = mkdtempSync(join(tmpdir(), 'lcq-cgroup-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return cgroupCpus(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('version 2: the quota of the group, in CPUs', () => {
  const cgroup = { 'proc/self/cgroup': '0::/\n' };
  assert.equal(cpusOf({ ...cgroup, 'sys/fs/cgroup/cpu.max': '150000 100000\n' }), 1.5);
  assert.equal(cpusOf({ ...cgroup, 'sys/fs/cgroup/cpu.max': 'max 100000\n' }), Infinity);
});

test('version 2: the tightest of the groups above holds', () => {
  const files = {
    'proc/self/cgroup': '0::/pod/server\n',
    'sys/fs/cgroup/pod/cpu.max': '200000 100000',
    'sys/fs/cgroup/pod/server/cpu.max': '800000 100000',
  };
  assert.equal(cpusOf(files), 2);
});

test('version 1: quota over period, at the group or where the container mounts it', () => {
  const cgroup = { 'proc/self/cgroup': '4:memory:/x\n3:cpu,cpuacct:/docker/abc\n' };
  const at = (path: string, quota: number) => ({
    ...cgroup,
    [`sys/fs/cgroup/cpu/${path}cpu.cfs_quota_us`]: `${quota}\n`,
    [`sys/fs/cgroup/cpu/${path}cpu.cfs_period_us`]: '100000\n',
  });
  assert.equal(cpusOf(at('docker/abc/', 400_000)), 4);
  assert.equal(cpusOf(at('', 250_000)), 2.5);
  assert.equal(cpusOf(at('', -1)), Infinity);
});

test('without control groups, or with files that say something else, there is no limit', () => {
  assert.equal(cpusOf({}), Infinity);
  const cgroup = { 'proc/self/cgroup': '0::/\njunk\n' };
  for (const text of ['', 'junk', '0 0', '-1 100000']) {
    assert.equal(cpusOf({ ...cgroup, 'sys/fs/cgroup/cpu.max': text }), Infinity);
  }
});

test('there is always a CPU, and never more than the machine has', () => {
  assert.ok(cpuLimit() >= 1 && cpuLimit() <= availableParallelism());
});
