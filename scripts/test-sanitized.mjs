/**
 * Runs the tests of the native add-on on a build that stops at memory errors and undefined behaviour (GCC only):
 *   npm run test:sanitize
 */
import { spawnSync } from 'node:child_process';
import { NativeBuild } from './native-build.mjs';
import { setUp } from './setup/steps.mjs';

/** Test files that reach native code: kernels, sessions, and models that must be refused. */
const TESTS =
  /^test\/(native\/|runtime\/(lcq-session|concurrency)|quantization\/op-functions).*\.test\.js$/;

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
const build = new NativeBuild('sanitized');
// At -O1, or the SIMD kernels take minutes.
build.compile([
  '-DLCQ_SANITIZE=address,undefined',
  '-DCMAKE_BUILD_TYPE=Debug',
  '-DCMAKE_CXX_FLAGS_DEBUG=-O1',
]);
build.run(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=600000', ...build.tests(TESTS)],
  { env: environment() },
);
