/** An OCI bundle of an image's root, as strict as a cluster runs it: what runc and crun take. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** As OpenShift does: a number that no passwd file knows, in the root group. */
export const USER = { uid: 1_000_730_000, gid: 0 };
const LIMITS = {
  memory: { limit: 512 * 2 ** 20 },
  cpu: { quota: 200_000, period: 100_000 },
  pids: { limit: 256 },
};
/** The default of Debian's container tools. */
const SECCOMP = '/usr/share/containers/seccomp.json';

const NO_CAPABILITIES = Object.fromEntries(
  ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'].map((set) => [set, []]),
);

/** Nothing that can be written to but /dev, which the runtime fills. */
const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=64k'],
  },
  {
    destination: '/sys',
    type: 'sysfs',
    source: 'sysfs',
    options: ['nosuid', 'noexec', 'nodev', 'ro'],
  },
];

/** The profile as the runtime wants it: its rules for processes without capabilities. */
function seccomp() {
  const { defaultAction, defaultErrnoRet, archMap, syscalls } = JSON.parse(
    readFileSync(SECCOMP, 'utf8'),
  );
  const own = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' }[process.arch];
  const debianName = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  const applies = ({ includes = {}, excludes = {} }) =>
    !includes.caps?.length &&
    (includes.arches?.includes(debianName) ?? true) &&
    !excludes.arches?.includes(debianName);
  const rule = ({ names, action, args, errnoRet }) => ({
    names,
    action,
    ...(args?.length && { args }),
    ...(errnoRet && { errnoRet }),
  });
  const { architecture, subArchitectures } = archMap.find((entry) => entry.architecture === own);
  const architectures = [architecture, ...(subArchitectures ?? [])];
  return {
    defaultAction,
    defaultErrnoRet,
    architectures,
    syscalls: syscalls.filter(applies).map(rule),
  };
}

/** Writes config.json into `folder`: the image's own entry point and environment, and `environment` besides. */
export function writeBundle(folder, { root, image, environment, cgroup }) {
  const { Entrypoint, Cmd, Env, WorkingDir } = image;
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  // The network is the host's: the server listens on 127.0.0.1.
  const namespaces = ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type }));
  const config = {
    ociVersion: '1.0.2',
    process: {
      user: USER,
      args: [...Entrypoint, ...Cmd],
      env: [...Env, ...settings],
      cwd: WorkingDir,
      capabilities: NO_CAPABILITIES,
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    hostname: 'lcq-serving',
    mounts: MOUNTS,
    linux: { namespaces, seccomp: seccomp(), resources: LIMITS, cgroupsPath: cgroup },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}
