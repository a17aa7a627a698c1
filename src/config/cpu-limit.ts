import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * CPUs that this process may use at once: what its affinity allows, under the quota of its control group. A container
 * that may use 2 CPUs of 64 sees 64; threads for all of them would throttle one another.
 */
export function cpuLimit(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(cgroupCpus('/'))));
}

/**
 * The CPU quota of this process's control group and those above it, version 2 or 1, in CPUs; Infinity without one.
 * `root` is where /proc and /sys are.
 */
export function cgroupCpus(root: string): number {
  const quotas = groupsOf(root).flatMap(({ version, path }) =>
    withParents(path).map((group) =>
      version === 2
        ? quotaV2(join(root, 'sys/fs/cgroup', group))
        : quotaV1(join(root, 'sys/fs/cgroup/cpu', group)),
    ),
  );
  return Math.min(Infinity, ...quotas);
}

interface Group {
  readonly version: 1 | 2;
  readonly path: string;
}

/** From lines `0::/path` (version 2) and `4:cpu,cpuacct:/path` (version 1). */
function groupsOf(root: string): Group[] {
  const lines = read(join(root, 'proc/self/cgroup'))?.split('\n') ?? [];
  return lines.flatMap((line): Group[] => {
    const [id, controllers, path] = line.split(':');
    if (path === undefined) return [];
    if (id === '0' && controllers === '') return [{ version: 2, path }];
    return controllers.split(',').includes('cpu') ? [{ version: 1, path }] : [];
  });
}

/** Inside a container the path may be the host's, of which only the root is mounted: files that are not there limit nothing. */
function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, n) => parts.slice(0, n).join('/'));
}

/** cpu.max: `QUOTA PERIOD` in microseconds, or `max PERIOD`. */
function quotaV2(group: string): number {
  const [quota, period] = (read(join(group, 'cpu.max')) ?? '').split(' ').map(Number);
  return quota > 0 && period > 0 ? quota / period : Infinity;
}

/** -1 is no quota. */
function quotaV1(group: string): number {
  const quota = Number(read(join(group, 'cpu.cfs_quota_us')));
  const period = Number(read(join(group, 'cpu.cfs_period_us')));
  return quota > 0 && period > 0 ? quota / period : Infinity;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
