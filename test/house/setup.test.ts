import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What runs in a browser has a configuration of its own. */
const PAGE = 'src/transport/rest/playground/page';

interface Step {
  isCurrent(): boolean;
  make(): Promise<void>;
}

/** A clone in miniature, in a path with spaces: the set-up scripts and nothing to set up yet. */
let clone = '';

beforeEach(() => {
  clone = join(mkdtempSync(join(tmpdir(), 'lcq set up ')), 'a clone');
  for (const folder of ['src', 'test', 'loadtest', 'examples']) {
    mkdirSync(join(clone, folder), { recursive: true });
  }
  cpSync(join(root, 'scripts'), join(clone, 'scripts'), { recursive: true });
  cpSync(join(root, 'package.json'), join(clone, 'package.json'));
  write('package-lock.json', '{ "packages": {} }');
});
afterEach(() => rmSync(dirname(clone), { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(clone, path)), { recursive: true });
  writeFileSync(join(clone, path), content);
}

/** Imports the clone's own copy of a step, which works on that clone. */
function step(name: string): Promise<Step> {
  return import(pathToFileURL(join(clone, 'scripts/setup', `${name}.mjs`)).href);
}

test('missing tools are told in one sentence, before anything is installed', () => {
  write('CMakeLists.txt', '');
  write('package-lock.json', '{ "packages": { "node_modules/a": { "integrity": "sha512-a" } } }');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs'], {
    cwd: clone,
    encoding: 'utf8',
    env: { PATH: clone },
  });
  assert.equal(
    stderr,
    'setup: building the native add-on needs a C++17 compiler and CMake and make or ninja, not found on PATH: ' +
      'install it (on Debian or Ubuntu: apt-get install g++ cmake make) and run this again.\n',
  );
  assert.equal(stdout, '');
  assert.equal(status, 1);
});

test('an old Node is told which one is needed', () => {
  write('package.json', '{ "engines": { "node": ">=99.5" } }');
  const { status, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs'], {
    cwd: clone,
    encoding: 'utf8',
  });
  assert.equal(
    stderr,
    `setup: Node 99.5 or newer is needed and this is ${process.versions.node}.\n`,
  );
  assert.equal(status, 1);
});

test('packages are current when all that the lock wants is installed, optional ones aside', async () => {
  const packages = await step('packages');
  const lock = (entries: object) => JSON.stringify({ packages: entries });
  const a = { integrity: 'sha512-a' };
  const optional = { integrity: 'sha512-o', optional: true };
  write('package-lock.json', lock({ '': {}, 'node_modules/a': a, 'node_modules/o': optional }));
  assert.equal(packages.isCurrent(), false);
  write('node_modules/.package-lock.json', lock({ 'node_modules/a': a }));
  assert.equal(packages.isCurrent(), true);
  write('node_modules/.package-lock.json', lock({ 'node_modules/a': { integrity: 'sha512-b' } }));
  assert.equal(packages.isCurrent(), false);
});

describe('the TypeScript step', () => {
  beforeEach(() => {
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
    cpSync(join(root, 'tsconfig.json'), join(clone, 'tsconfig.json'));
    cpSync(join(root, PAGE, 'tsconfig.json'), join(clone, PAGE, 'tsconfig.json'));
    write('src/cli/lcq.ts', 'export const entry = 1;\n');
    write(`${PAGE}/app.ts`, "document.title = 'page';\n");
    write(`${PAGE}/index.html`, '<title></title>\n');
  });

  test('compiles, forgets deleted sources, and notices each change', async () => {
    write('src/gone.ts', 'export const gone = 1;\n');
    const typescript = await step('typescript');
    assert.equal(typescript.isCurrent(), false);
    await typescript.make();
    assert.equal(typescript.isCurrent(), true);
    assert.equal(statSync(join(clone, 'dist/src/cli/lcq.js')).mode & 0o111, 0o111);
    assert.equal(existsSync(join(clone, 'dist/src/gone.js')), true);
    assert.equal(existsSync(join(clone, 'dist', PAGE, 'app.js')), true);
    assert.equal(existsSync(join(clone, 'dist', PAGE, 'index.html')), true);

    rmSync(join(clone, 'src/gone.ts'));
    assert.equal(typescript.isCurrent(), false);
    await typescript.make();
    assert.equal(existsSync(join(clone, 'dist/src/gone.js')), false);
    assert.equal(existsSync(join(clone, 'dist/src/gone.d.ts')), false);
  });

  test('a type error fails with the words of the compiler and leaves the step outdated', async () => {
    write('src/wrong.ts', "export const wrong: number = 'text';\n");
    const typescript = await step('typescript');
    await assert.rejects(typescript.make(), /src\/wrong\.ts.*TS2322/s);
    assert.equal(typescript.isCurrent(), false);
  });
});

describe('the native step', () => {
  const cmake = (content: string) =>
    'cmake_minimum_required(VERSION 3.16)\nproject(addon LANGUAGES NONE)\n' +
    `add_custom_target(addon ALL COMMAND \${CMAKE_COMMAND} -E echo ${content} > lcq.node VERBATIM)\n`;

  test('builds, notices each change, and survives a clone that moves', async () => {
    write('CMakeLists.txt', cmake('one'));
    const native = await step('native');
    assert.equal(native.isCurrent(), false);
    await native.make();
    const lock = (name: string) =>
      `{ "packages": { "node_modules/${name}": { "integrity": "a" } } }`;
    write('package-lock.json', lock('fastify'));
    assert.equal(native.isCurrent(), true);
    write('package-lock.json', lock('node-addon-api'));
    assert.equal(native.isCurrent(), false);
    write('package-lock.json', lock('fastify'));
    write('src/native/kernel.cpp', 'int kernel;\n');
    assert.equal(native.isCurrent(), false);

    const moved = join(dirname(clone), 'a moved clone');
    renameSync(clone, moved);
    clone = moved;
    write('CMakeLists.txt', cmake('two'));
    await (await step('native')).make();
    assert.equal(readFileSync(join(clone, 'build/lcq.node'), 'utf8').trim(), 'two');
  });

  test('a failing build shows the last words of the tool', async () => {
    write('CMakeLists.txt', 'message(FATAL_ERROR "no such luck")\n');
    await assert.rejects((await step('native')).make(), /no such luck/);
  });
});

describe('the lock', () => {
  const lockModule = pathToFileURL(join(root, 'scripts/setup/lock.mjs')).href;

  test('keeps processes apart', async () => {
    const log = join(clone, 'log');
    const script = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { withLock } from ${JSON.stringify(lockModule)};
      await withLock(${JSON.stringify(join(clone, 'lock'))}, async () => {
        appendFileSync(${JSON.stringify(log)}, 'in ');
        await sleep(50);
        appendFileSync(${JSON.stringify(log)}, 'out ');
      }, () => {});`;
    const args = ['--input-type=module', '--eval', script];
    await Promise.all([1, 2, 3].map(() => promisify(execFile)(process.execPath, args)));
    assert.equal(readFileSync(log, 'utf8'), 'in out '.repeat(3));
    assert.equal(existsSync(join(clone, 'lock')), false);
  });

  test('of a killed process is taken over; of a living one it is waited for', async () => {
    const { withLock } = await import(lockModule);
    const lock = join(clone, 'lock');
    mkdirSync(lock);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    assert.equal(await withLock(lock, () => 'ran', assert.fail), 'ran');

    mkdirSync(lock);
    let waited = false;
    await withLock(
      lock,
      () => {},
      () => {
        waited = true;
        rmSync(lock, { recursive: true });
      },
    );
    assert.equal(waited, true);
  });
});
