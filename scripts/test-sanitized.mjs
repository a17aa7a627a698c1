/**
 * Runs the tests of the native add-on on a build that stops at memory errors and undefined behaviour (GCC only):
 *   npm run test:sanitize
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { root } from './setup/command.mjs';
import { setUp } from './setup/steps.mjs';

const SANITIZERS = 'address,undefined';
/** Test files that reach native code: kernels, sessions, and models that must be refused. */
const TESTS =
  /^test\/(native\/|runtime\/(lcq-session|concurrency)|quantization\/op-functions).*\.test\.js$/;

/** A package of its own: its dist/ finds the sanitized build/lcq.node beside itself. */
const tree = join(root, 'build', 'sanitized');

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { cwd: tree, stdio: 'inherit', ...options });
  if (error !== undefined) console.error(`sanitize: ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function layOut() {
  mkdirSync(tree, { recursive: true });
  rmSync(join(tree, 'dist'), { recursive: true, force: true });
  cpSync(join(root, 'dist'), join(tree, 'dist'), { recursive: true });
  for (const name of ['models', 'node_modules', 'package.json', 'proto']) {
    rmSync(join(tree, name), { force: true });
    symlinkSync(join(root, name), join(tree, name));
  }
}

function build() {
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
  // At -O1, or the SIMD kernels take minutes.
  const flags = ['-DCMAKE_BUILD_TYPE=Debug', '-DCMAKE_CXX_FLAGS_DEBUG=-O1'];
  run('cmake', ['-S', root, '-B', 'build', `-DLCQ_SANITIZE=${SANITIZERS}`, ...flags], quiet);
  run('cmake', ['--build', 'build', '--parallel', `${os.availableParallelism()}`], quiet);
}

/** The sanitizers' libraries must be there before the first allocation of node. */
function environment() {
  const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
    spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim(),
  );
  return {
    ...process.env,
    LD_PRELOAD: libraries.join(' '),
    // What node itself still holds at its end is no leak of ours.
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  };
}

await setUp();
layOut();
build();
const files = readdirSync(join(tree, 'dist'), { recursive: true })
  .filter((path) => TESTS.test(path))
  .map((path) => join('dist', path));
run(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=600000', ...files], {
  env: environment(),
});
