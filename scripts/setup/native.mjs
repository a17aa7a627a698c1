import { accessSync, constants, existsSync, rmSync } from 'node:fs';
import os from 'node:os';
import { delimiter, join } from 'node:path';
import { root, run, SetupError } from './command.mjs';
import { filesBelow, fingerprint, hasStamp, makeStamped } from './stamp.mjs';

export const title = 'building the native add-on (build/lcq.node)';

const SOURCES = /\.(c|cc|cpp|h|hpp|inc|cmake)$/;

/** Compiled against these; a minute of compiling is not to be had again for any other package. */
const PACKAGES = ['node-addon-api', 'node-api-headers'];

const inputs = () =>
  fingerprint(['CMakeLists.txt', ...filesBelow(['src', 'test'], SOURCES)], PACKAGES);

/** What the build needs on PATH: any one of the commands will do. */
const TOOLS = [
  {
    name: 'a C++17 compiler',
    commands: [process.env.CXX?.split(' ')[0], 'c++', 'g++', 'clang++'].filter(Boolean),
    debian: 'g++',
  },
  { name: 'CMake', commands: ['cmake'], debian: 'cmake' },
  { name: 'make or ninja', commands: ['make', 'gmake', 'ninja'], debian: 'make' },
];

export function isCurrent() {
  return existsSync(join(root, 'build/lcq.node')) && hasStamp('build', inputs());
}

/** @throws {SetupError} one sentence that names all that is missing. */
export function requireTools() {
  const missing = TOOLS.filter(({ commands }) => !commands.some(isOnPath));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(' and ');
  const debian = missing.map((tool) => tool.debian).join(' ');
  throw new SetupError(
    `building the native add-on needs ${names}, not found on PATH: ` +
      `install it (on Debian or Ubuntu: apt-get install ${debian}) and run this again.`,
  );
}

export const make = () => makeStamped('build', inputs(), build);

/** Needs what requireTools() asks for, and the npm packages; an installed package has no stamp to keep. */
export async function build() {
  await configure();
  const jobs = String(os.availableParallelism());
  await run('cmake', ['--build', 'build', '--config', 'Release', '--parallel', jobs]);
}

async function configure() {
  const args = ['-S', '.', '-B', 'build', '-DCMAKE_BUILD_TYPE=Release'];
  args.push(`-DNODE=${process.execPath}`);
  if (!isOnPath('make') && isOnPath('ninja')) args.push('-G', 'Ninja');
  const hadCache = existsSync(join(root, 'build/CMakeCache.txt'));
  try {
    await run('cmake', args);
  } catch (error) {
    if (!hadCache || !(error instanceof SetupError)) throw error;
    // A cache from before the clone was moved, or the compiler replaced, cannot be configured again.
    rmSync(join(root, 'build'), { recursive: true });
    await run('cmake', args);
  }
}

function isOnPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(command.includes('/') ? command : join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
